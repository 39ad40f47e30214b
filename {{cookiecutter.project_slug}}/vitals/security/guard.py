"""The guard: finds the routes that don't say who may call them.

A route says it by a security dependency (`Security(caller, scopes=[…])`, at any depth) or by
`openapi_extra=PUBLIC`. What has no dependencies, such as static files, is named in the argument
`public` of `vitals.install`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from fastapi.security.base import SecurityBase
from starlette.routing import Host, Mount, WebSocketRoute

from vitals.framework import routes_with_prefixes
from vitals.security.callers import CallerDependency

FIX = 'dependencies=[Security(vitals.caller, scopes=["…"])], or openapi_extra=vitals.PUBLIC'


def unguarded(
    app: Any, guards: Collection[Callable[..., Any]], public: Collection[str]
) -> Iterator[str]:
    """A line for each route of an application, with all its prefixes, that says nothing.

    `guards` are further dependencies that refuse a caller; `public` are paths for everyone.
    """
    for path, route in _every_route(app):
        is_public = (getattr(route, "openapi_extra", None) or {}).get("security") in ([], [{}])
        if path in public or is_public or any(_refuses(call, guards) for call in _calls(route)):
            continue
        fix = FIX if hasattr(route, "openapi_extra") else f'vitals.install(…, public=["{path}"])'
        yield f"{_name(path, route)}: does not say who may call it. Fix: {fix}"


def requires_a_token(app: Any) -> Iterator[str]:
    """The routes that require a token."""
    for path, route in _every_route(app):
        if any(isinstance(call, CallerDependency) for call in _calls(route)):
            yield _name(path, route)


def websockets(app: Any) -> list[str]:
    """The paths of the websockets of an application."""
    routes = ((path, getattr(route, "original_route", route)) for path, route in _every_route(app))
    return [path for path, route in routes if isinstance(route, WebSocketRoute)]


def _every_route(app: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each route with its whole path: of routers, mounted applications, websockets, frontends."""
    for route in routes_with_prefixes(app.routes):
        path = prefix + (getattr(route, "path_format", "") or getattr(route, "path", "") or "")
        inner = getattr(route, "app", None)
        original = getattr(route, "original_route", route)
        if isinstance(original, Mount | Host) and getattr(inner, "routes", None):
            yield from _every_route(inner, path.removesuffix("/{path}"))
        else:
            yield path.removesuffix("/{path}") if isinstance(original, Mount) else path, route
    # Private to FastAPI, without a public way: the routes of `app.frontend()`.
    router = getattr(app, "router", app)
    for each in getattr(router, "_iter_low_priority_routes", tuple)():
        group = getattr(each, "original_route", each)
        for page in getattr(group, "routes", ()):
            yield prefix + getattr(each, "frontend_prefix", "") + page.path, group


def _calls(route: Any) -> Iterator[Callable[..., Any]]:
    """Every dependency of a route, at any depth."""
    todo = list(getattr(getattr(route, "dependant", None), "dependencies", ()))
    for each in todo:
        todo += each.dependencies
        yield each.call


def _refuses(call: Any, guards: Iterable[Callable[..., Any]]) -> bool:
    """Whether a dependency refuses callers; one with auto_error=False lets everyone in."""
    is_guard = isinstance(call, SecurityBase) and getattr(call, "auto_error", True)
    return is_guard or call in guards


def _name(path: str, route: Any) -> str:
    methods = getattr(route, "methods", None)
    return f"{' '.join(sorted(methods))} {path}" if methods else path
