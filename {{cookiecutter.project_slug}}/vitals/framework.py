"""What differs between versions of FastAPI: each difference behind one name, with a fall-back."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, routing
from starlette import _utils
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

MARKS = ("endpoint", "fastapi", "path_params", "route", "router")  # of a search, in the scope


# How a router stands among the routes of another one, since 0.137; before, no object is one.
IncludedRouter: Any = getattr(routing, "_IncludedRouter", ())
# The path without that of a proxy or mount.
route_path_of = getattr(_utils, "get_route_path", lambda scope: scope["path"])
# Tells the framework's own telemetry which route was found.
_route_selected = getattr(routing, "_route_selected", lambda **_: None)


def _routes(routes: Iterable[Any]) -> Iterator[Any]:
    """Before 0.138. Until 0.136 included routes are copied; 0.137 has a private way to them."""
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        for each in included() if included is not None else [route]:
            yield getattr(each, "starlette_route", None) or each


# Each route of a list, those of included routers with all their prefixes.
routes_with_prefixes = getattr(routing, "iter_route_contexts", _routes)


def configure_telemetry(app: Any, config: Mapping[str, Any]) -> None:
    """Configure the framework's own OpenTelemetry, which some versions have, in a private place."""
    if (own := getattr(app, "_telemetry", None)) is not None:
        own.update(config)


def low_priority_routes(router: Any) -> Iterator[Any]:
    """Routes that are tried after all others: those of `app.frontend()`, since 0.138."""
    found: Iterator[Any] = getattr(router, "_iter_low_priority_routes", lambda: iter(()))()
    return found


def routers(router: Any) -> list[Any]:
    """A router and all that it includes."""
    found = [router]
    for each in found:
        inner = [route for route in each.routes if isinstance(route, IncludedRouter)]
        found += [r.original_router for r in inner if r.original_router not in found]
    return found


def routes_version(routers: Iterable[Any]) -> list[int]:
    """A value that changes when a route is added to one of these routers, or removed."""
    return [len(each.routes) + getattr(each, "_routes_version", 0) * 65_536 for each in routers]


class Candidate(NamedTuple):
    """A route that the framework's search tries, in one of the ways in which it is included."""

    found: Any  # the route, or its context: template, methods, pattern, application
    route: Any
    included: Any  # the innermost included router
    after_included: bool  # whether the search has met an included router before it
    is_plain: bool  # whether it matches and is marked as its class in the framework does it


def candidates(routes: Sequence[Any], included: Any = None) -> Iterator[Candidate]:
    """The candidates of a search, in its order."""
    after_included = included is not None
    for found in routes:
        route = getattr(found, "original_route", found)
        if isinstance(found, IncludedRouter):
            after_included = True
            limits = getattr(found.include_context, "form_limits", None)
            if not limits and _has_own(found.original_router, routing.APIRouter):
                yield from candidates(found.effective_candidates(), found)
                continue
        is_starlettes = type(route) is Route and included is None
        is_plain = (isinstance(route, routing.APIRoute) and _has_own(route, routing.APIRoute)) or (
            is_starlettes and _has_own(route, Route)
        )
        yield Candidate(found, route, included, after_included, is_plain)


def mark(scope: Scope, router: Any, chosen: Candidate | None, params: Mapping[str, str]) -> ASGIApp:
    """Mark the scope as the search of a router does, and return the application to call."""
    scope.setdefault("router", router)
    if chosen is None:
        default: ASGIApp = router.default
        return default
    found, converted = chosen.found, {**scope.get("path_params", {})}
    for name, value in params.items():
        converted[name] = found.param_convertors[name].convert(value)
    scope["endpoint"], scope["path_params"] = found.endpoint, converted
    if chosen.after_included:
        own = scope.setdefault("fastapi", {})
        if chosen.included is not None:
            own |= {"included_router": chosen.included, "effective_route_context": found}
    if isinstance(chosen.route, routing.APIRoute):
        scope["route"] = chosen.route
    _route_selected(scope=scope, path=found.path_format)
    app: ASGIApp = found.app
    return app


def _has_own(thing: Any, kind: type) -> bool:
    """Whether an object matches and handles as this class of the framework does."""
    return all(getattr(type(thing), n, n) is getattr(kind, n, n) for n in ("matches", "handle"))


async def _no_body() -> dict[str, Any]:
    """What a request without a body receives."""
    return {"type": "http.request", "body": b"", "more_body": False}


def searches_as_known(index: Callable[[Any], ASGIApp]) -> bool:
    """Compare a search with the framework's on a small application: its marks are private to it."""
    app, inner, seen = FastAPI(openapi_url=None), routing.APIRouter(prefix="/b"), list[Any]()

    async def look(request: Request) -> None:
        seen.append({key: request.scope.get(key) for key in MARKS})

    async def send(_: Any) -> None: ...

    for router in (inner, app.router):
        router.add_api_route("/{n:int}", look)
    app.include_router(inner, prefix="/a")
    for search in (app.router.app, index(app.router)):
        app.router.middleware_stack = search
        for path in ("/1", "/a/b/1"):
            scope: Scope = {"type": "http", "method": "GET", "path": path, "query_string": b""}
            scope["headers"] = list[Any]()
            try:  # nothing in it waits
                app(scope, _no_body, send).send(None)
            except StopIteration:
                continue
            except Exception:
                return False
    return len(seen) == 4 and seen[:2] == seen[2:]
