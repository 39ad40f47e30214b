"""The route index: finds the route of a request without trying them all.

FastAPI tries its routes in turn, so the last of 100 costs six times the first. The index looks a
path up by its number of segments and by the literal ones; the framework's own `matches` decides.
What it isn't sure of goes to the framework's search: mounts, hosts, `path` convertors and custom
routes that may come first, `root_path`, redirects, 405, websockets. It reads private parts of
FastAPI, so it is off where their source isn't known; tests/contract/test_route_index.py watches.
"""

import hashlib
import inspect
import logging
from operator import attrgetter, itemgetter
from types import FunctionType
from typing import Any

from fastapi import routing
from starlette import convertors
from starlette.routing import Match, Mount, Route, WebSocketRoute, compile_path
from starlette.types import Receive, Scope, Send

KNOWN = ("d3467cdb4a2bcca5",)  # FastAPI 0.165 with Starlette 1.10
PRIVATE = """
    APIRouter.app APIRouter.handle APIRouter.matches APIRouter._get_routes_version
    APIRouter._iter_low_priority_routes _IncludedRouter.matches _IncludedRouter._match
    _IncludedRouter.handle _IncludedRouter._handle_selected _IncludedRouter.effective_candidates
    _EffectiveRouteContext.matches APIRoute.matches APIRoute.handle APIWebSocketRoute.matches
    _update_scope _apply_router_form_limits _route_selected _get_fastapi_scope
    routing.Route.matches routing.Route.handle routing.WebSocketRoute.matches
    routing.Mount.matches routing.Router.__call__ routing.compile_path routing.get_route_path
""".split()
BOUNDED = {convertors.CONVERTOR_TYPES[name] for name in ("str", "int", "float", "uuid")}
LONGEST = 500  # characters of a path; an `int` of 641 digits may raise in its convertor
log = logging.getLogger(__name__)
version, position = attrgetter("_routes_version"), attrgetter("position")
Included: Any = getattr(routing, "_IncludedRouter", None)  # since FastAPI 0.137


def fingerprint() -> str:
    """A hash of the sources that the index relies on, or what is missing or replaced there."""
    digest = hashlib.sha256()
    for name in PRIVATE:
        try:
            part = attrgetter(name)(routing)
            if type(part) is not FunctionType:
                return f"{name} is replaced"
            digest.update(inspect.getsource(part.__code__).encode())
        except (AttributeError, OSError) as error:
            return f"{name}: {error}"
    return digest.hexdigest()[:16]


def install(router: Any) -> None:
    """Put the index before the search of an application's router; warn where it is unknown."""
    if isinstance(router.middleware_stack, RouteIndex):
        return
    found = fingerprint()
    if type(router) is not routing.APIRouter or router.middleware_stack != router.app:
        found = f"{type(router).__qualname__} with a search of its own"
    if found in KNOWN:
        router.middleware_stack = RouteIndex(router)
    else:
        log.warning("the route index is off, FastAPI's routing is not a known one: %s", found)


class _Leaf:
    """A route of the index; `before`: starts of paths that an earlier route may match."""

    def __init__(self, table: "_Table", route: Any, target: Any, routers: tuple[Any, ...]) -> None:
        self.route, self.target, self.routers = route, target, routers
        self.before, self.scoped, self.position = table.unsure, table.scoped, table.size
        table.size += 1


class _Table:
    """The routes of a router as they are now; `unsure`: starts of paths left to the framework."""

    def __init__(self, router: Any) -> None:
        self.routes, self.routers = list(router.routes), [router]
        self.unsure: tuple[str, ...] = ()
        self.scoped, self.size = False, 0
        self.shapes: dict[int, dict[Any, tuple[Any, dict[Any, list[_Leaf]]]]] = {}
        for route in self.routes:
            self._add(route, route, ())
        self.versions = list(map(version, self.routers))
        self.frontends = any(True for _ in router._iter_low_priority_routes())
        self.missing = _Leaf(self, None, None, ())

    def _add(self, route: Any, target: Any, routers: tuple[Any, ...]) -> None:
        if type(route) is Included and _stock(route.original_router, routing.APIRouter):
            self.scoped = True  # the framework puts a key into the scope when it looks inside
            self.routers.append(route.original_router)
            for each in route.effective_candidates():
                self._add(getattr(each, "original_route", each), each, (*routers, route))
            return
        if _stock(route, routing.APIWebSocketRoute, WebSocketRoute):
            return
        at = getattr(target, "starlette_route", None) or target
        path = getattr(at, "path", "") + ("/{path:path}" if isinstance(route, Mount) else "")
        if not _stock(route, routing.APIRoute, Route, Mount) or not (
            compile_path(path)[::2] == (at.path_regex, at.param_convertors)
        ):
            self.unsure += ("",)
        elif at is not target or not set(at.param_convertors.values()) <= BOUNDED:
            self.unsure += (path.partition("{")[0],)
        else:
            segments = path.split("/")
            places = [n for n, segment in enumerate(segments) if "{" not in segment]
            shapes = self.shapes.setdefault(len(segments), {})
            pick, leaves = shapes.setdefault(tuple(places), (itemgetter(*places), {}))
            leaves.setdefault(pick(segments), []).append(_Leaf(self, route, target, routers))

    def leaves(self, path: str) -> list[_Leaf]:
        """The routes that may match, in the framework's order."""
        segments = path.split("/")
        found: list[_Leaf] = []
        for pick, leaves in self.shapes.get(len(segments), {}).values():
            found += leaves.get(pick(segments), ())
        if len(found) > 1:
            found.sort(key=position)
        return found

    def is_missing(self, path: str, found: list[_Leaf]) -> bool:
        """Whether no route matches the path, with any method."""
        return not path.startswith(self.unsure) and not any(
            leaf.target.path_regex.match(path) for leaf in found
        )


def _stock(part: Any, *kinds: Any) -> bool:
    """Whether a route or router matches and handles as one of the framework's kinds does."""
    kind = type(part)
    return not {"matches", "handle"} & vars(part).keys() and any(
        kind.matches is each.matches and kind.handle is each.handle for each in kinds
    )


class RouteIndex:
    """What a router calls for each request: the route of the index, or the framework's search."""

    def __init__(self, router: Any) -> None:
        self._router, self._search, self._table = router, router.middleware_stack, _Table(router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaf, child = self._find(scope)
        if leaf is None:
            await self._search(scope, receive, send)
            return
        router, route = self._router, leaf.route
        scope.setdefault("router", router)
        routing._apply_router_form_limits(scope, router.form_limits)
        inside = routing._get_fastapi_scope(scope) if leaf.scoped else {}
        for included in leaf.routers:
            routing._apply_router_form_limits(scope, included.include_context.form_limits)
            inside |= {"included_router": included, "effective_route_context": leaf.target}
            child["route"] = route
        if route is None:
            await router.default(scope, receive, send)
            return
        scope.update(child)
        routing._route_selected(scope=scope, path=leaf.target.path_format)
        await route.handle(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[_Leaf | None, Any]:
        if scope["type"] != "http" or scope.get("root_path") or "fastapi" in scope:
            return None, None
        path, method, table = scope["path"], scope["method"], self._table
        if len(path) > LONGEST or "\n" in path:  # `$` matches before a last one
            return None, None
        routes, versions = self._router.routes, list(map(version, table.routers))
        if routes != table.routes or versions != table.versions:
            table = self._table = _Table(self._router)
        found = table.leaves(path)
        for leaf in found:
            methods = leaf.target.methods
            if not methods or method in methods:
                if path.startswith(leaf.before):
                    return None, None
                match, child = leaf.target.matches(scope)
                if match is Match.FULL:
                    return leaf, child
        other = path.rstrip("/") if path.endswith("/") else path + "/"
        if table.frontends or not table.is_missing(path, found):
            return None, None
        redirects = self._router.redirect_slashes and path != "/"
        if redirects and not table.is_missing(other, table.leaves(other)):
            return None, None
        return table.missing, {}
