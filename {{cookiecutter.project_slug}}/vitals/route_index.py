"""The route index: finds the route of a request without trying them all.

A path is looked up by its segments' number and the literal ones; then the framework's `matches`
decides. Left to the framework's search: mounts, hosts, `path` convertors and custom routes before
a match, `root_path`, redirects, 405, websockets.
"""
# ruff: noqa: SLF001 - `framework.routing_is_known` compares the private parts used here

from operator import attrgetter, itemgetter
from typing import Any

from fastapi import APIRouter, routing
from starlette.convertors import FloatConvertor, IntegerConvertor, StringConvertor, UUIDConvertor
from starlette.routing import Match, Mount, Route, WebSocketRoute, compile_path
from starlette.types import Receive, Scope, Send

from vitals.framework import routing_is_known

BOUNDED = {StringConvertor, IntegerConvertor, FloatConvertor, UUIDConvertor}  # match no slash
LONGEST = 500  # characters of a path; an `int` of 641 digits may raise in its convertor
version, search = attrgetter("_routes_version"), attrgetter("matches", "handle")


def install(router: Any) -> None:
    """Put the index before the search of an application's router, where that is a known one."""
    if not isinstance(router.middleware_stack, RouteIndex) and routing_is_known(router):
        router.middleware_stack = RouteIndex(router, router.middleware_stack)


def _stock(part: Any, *kinds: Any) -> bool:
    """Whether a route matches and handles as one of the framework's kinds does."""
    own = getattr(part, "__dict__", {}).keys() & {"matches", "handle"}
    return not own and search(type(part)) in map(search, kinds)


class RouteIndex:
    """What a router calls for each request; it is built again when routes have changed."""

    def __init__(self, router: Any, search: Any) -> None:
        self._router, self._search, self._size, self._scoped = router, search, 0, False
        self._routes, self._routers = list(router.routes), [router]
        self._unsure: tuple[str, ...] = ()  # starts of paths that are left to the framework
        self._shapes: dict[int, dict[Any, tuple[Any, dict[Any, list[Any]]]]] = {}  # by segments
        for route in self._routes:
            self._add(route, route, ())
        self._versions = list(map(version, self._routers))
        self._unsure += ("",) * any(True for _ in router._iter_low_priority_routes())

    def _add(self, route: Any, target: Any, routers: tuple[Any, ...]) -> None:
        if _stock(route, routing._IncludedRouter) and _stock(route.original_router, APIRouter):
            self._scoped = True
            self._routers.append(route.original_router)
            for each in route.effective_candidates():
                self._add(getattr(each, "original_route", each), each, (*routers, route))
        elif not _stock(route, routing.APIWebSocketRoute, WebSocketRoute):
            at = getattr(target, "starlette_route", None) or target
            path = getattr(at, "path", "") + "/{path:path}" * isinstance(route, Mount)
            known = _stock(route, routing.APIRoute, Route, Mount)
            known = known and compile_path(path)[::2] == (at.path_regex, at.param_convertors)
            kinds = map(type, getattr(at, "param_convertors", {}).values())
            if not (known and at is target and BOUNDED.issuperset(kinds)):
                self._unsure += (path.partition("{")[0] if known else "",)
                return
            parts, self._size = path.split("/"), self._size + 1
            places = tuple(n for n, part in enumerate(parts) if "{" not in part)
            shape = self._shapes.setdefault(len(parts), {})
            pick, leaves = shape.setdefault(places, (itemgetter(*places), {}))
            leaf = (self._size, self._unsure, self._scoped, route, target, routers)
            leaves.setdefault(pick(parts), []).append(leaf)

    def _find(self, scope: Scope) -> tuple[Any, Any]:
        """The route of a request and what it adds to the scope; None: the framework decides."""
        path, method = scope.get("path", ""), scope.get("method")
        odd = len(path) > LONGEST or "\n" in path  # `$` matches before a last newline
        if odd or method is None or scope.get("root_path") or "fastapi" in scope:
            return None, None
        for leaf in self._leaves(path):
            if method in (leaf[4].methods or (method,)):
                if path.startswith(leaf[1]):
                    return None, None
                match, child = leaf[4].matches(scope)
                if match is Match.FULL:
                    return leaf, child
        other = path.rstrip("/") if path.endswith("/") else path + "/"
        if self._has(path) or (self._router.redirect_slashes and self._has(other)):
            return None, None
        return (0, (), self._scoped, None, None, ()), {}

    def _leaves(self, path: str) -> list[Any]:
        """The routes that may match, in the framework's order."""
        parts, found = path.split("/"), list[Any]()
        for pick, leaves in self._shapes.get(len(parts), {}).values():
            found += leaves.get(pick(parts), ())
        return sorted(found) if len(found) > 1 else found

    def _has(self, path: str) -> bool:
        """Whether some route may match a path, with any method."""
        found = path.startswith(self._unsure)
        return found or any(leaf[4].path_regex.match(path) for leaf in self._leaves(path))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        router = self._router
        if router.routes != self._routes or list(map(version, self._routers)) != self._versions:
            self.__dict__ = vars(RouteIndex(router, self._search))  # at once, for other threads
        leaf, child = self._find(scope)
        if leaf is None:
            await self._search(scope, receive, send)
            return
        _, _, scoped, route, target, routers = leaf
        scope.setdefault("router", router)
        routing._apply_router_form_limits(scope, router.form_limits)
        inside = routing._get_fastapi_scope(scope) if scoped else {}
        for included in routers:
            routing._apply_router_form_limits(scope, included.include_context.form_limits)
            inside |= {"included_router": included, "effective_route_context": target}
            child["route"] = route
        scope.update(child)
        if target is not None and "fastapi.telemetry" in scope:
            routing._route_selected(scope=scope, path=target.path_format)
        await (route.handle if route is not None else router.default)(scope, receive, send)
