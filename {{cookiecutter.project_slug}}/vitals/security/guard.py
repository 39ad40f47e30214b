"""The guard: finds the routes that don't say who may call them.

A route says it by a security dependency (`Security(caller, scopes=[…])`, at any depth) or by
`openapi_extra=PUBLIC`. What has no dependencies, such as static files, is named in the argument
`public` of `vitals.install`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from fastapi.security.base import SecurityBase
from starlette.routing import Host, Mount, WebSocketRoute

from vitals.framework import low_priority_routes, routes_with_prefixes
from vitals.security.callers import CallerDependency

SCOPES = 'dependencies=[Security(vitals.caller, scopes=["…"])]'


def unguarded(
    app: Any, guards: Collection[Callable[..., Any]], public: Collection[str]
) -> Iterator[str]:
    """A line for each route of an application, with all its prefixes, that says nothing.

    `guards` are further dependencies that refuse a caller; `public` are open paths and mounts.
    """
    for path, route, needs in _every_route(app, public):
        is_public = (getattr(route, "openapi_extra", None) or {}).get("security") in ([], [{}])
        if is_public or any(_refuses(call, guards) for call in _calls(needs)):
            continue
        fix = f"public={json.dumps([*public, path])} in vitals.install"
        if hasattr(route, "openapi_extra"):
            fix = f"{SCOPES}, or openapi_extra=vitals.PUBLIC"
        elif hasattr(route, "dependant"):  # a websocket
            fix = f"{SCOPES}, or {fix}"
        yield f"{_name(path, route)}: does not say who may call it. Fix: {fix}"


def requires_a_token(app: Any) -> Iterator[str]:
    for path, route, needs in _every_route(app):
        if any(isinstance(call, CallerDependency) for call in _calls(needs)):
            yield _name(path, route)


def websockets(app: Any) -> list[str]:
    every = _every_route(app)
    return [path for path, route, _ in every if isinstance(_original(route), WebSocketRoute)]


def mounted(app: Any) -> Iterator[Any]:
    """The applications that are mounted in an application, and in those."""
    for route in routes_with_prefixes(app.routes):
        if isinstance(_original(route), Mount | Host) and hasattr(inner := route.app, "routes"):
            yield inner
            yield from mounted(inner)


def _every_route(
    app: Any, public: Collection[str] = (), prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Each route that is not `public`: its whole path, itself, and what has its dependencies."""
    for route in routes_with_prefixes(app.routes):
        path = prefix + (getattr(route, "path_format", "") or getattr(route, "path", "") or "")
        if is_mount := isinstance(_original(route), Mount | Host):
            path = path.removesuffix("/{path}")
        if is_mount and path not in public and getattr(inner := route.app, "routes", None):
            yield from _every_route(inner, public, path)
        elif (path := path or "/") not in public:
            yield path, route, route
    for each in low_priority_routes(getattr(app, "router", app)):
        for page in getattr(_original(each), "routes", ()):
            path = f"{prefix}{getattr(each, 'frontend_prefix', '')}{page.path}"
            if path not in public:
                yield path, page, each


def _original(route: Any) -> Any:
    """The route as it was added: one of an included router has a context around it."""
    return getattr(route, "original_route", route)


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
