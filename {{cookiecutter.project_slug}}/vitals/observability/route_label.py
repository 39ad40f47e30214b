"""The route of a request as a metric label: a bounded number, whatever paths clients send."""

from typing import Any

from starlette.routing import Mount, Route, compile_path

from vitals.framework import routes_with_prefixes

UNMATCHED = "__unmatched__"
MOUNTED = "__mounted__"
NOTHING: dict[str, Any] = {}


class Templates:
    """Templates that no scope has: those of mounts, and of Starlette's own routes."""

    def __init__(self, app: Any) -> None:
        self.mounts: list[tuple[Any, str]] = []
        self.routes: dict[int, str] = {}  # by the identity of the endpoint
        self._add(app, "")

    def _add(self, app: Any, prefix: str) -> None:
        for route in routes_with_prefixes(app.routes):
            original = getattr(route, "original_route", route)
            if isinstance(original, Mount):
                path = prefix + getattr(route, "path", original.path).removesuffix("/{path}")
                self.mounts.append((compile_path(path)[0], path))
                if hasattr(original.app, "routes"):
                    self._add(original.app, path)
            elif type(original) is Route:
                self.routes.setdefault(id(original.endpoint), route.path_format)

    def mount(self, prefix: str) -> str:
        """The template of a mount's concrete path."""
        return next((path for regex, path in self.mounts if regex.match(prefix)), MOUNTED)


def route_label(scope: Any) -> str:
    """The route's template with all its prefixes.

    `scope["route"].path` alone has lost the prefixes of `include_router` since FastAPI 0.137;
    the context read here is private to FastAPI: tests/contract/test_route_labels.py watches it.
    """
    route = scope.get("route")
    if route is None:  # nothing matched, a route of Starlette, or what is mounted has no routes
        templates = _templates(scope)
        path = templates.routes.get(id(scope.get("endpoint")), "") if templates else ""
        if not path:
            is_frontend = "frontend_path" in scope.get("fastapi", NOTHING)
            return MOUNTED if is_frontend or "endpoint" in scope else UNMATCHED
    else:
        context = scope.get("fastapi", NOTHING).get("effective_route_context")
        if context is not None and context.original_route is route:
            route = context
        path = route.path_format
    return path if "app_root_path" not in scope else _mount(scope, path) + path


def _mount(scope: Any, path: str) -> str:
    """The prefix of a mounted app; with parameters its template, for their number has no bound."""
    prefix: str = scope["root_path"].removeprefix(scope["app_root_path"])
    if len(scope["path_params"]) <= path.count("{"):
        return prefix
    return templates.mount(prefix) if (templates := _templates(scope)) else MOUNTED


def _templates(scope: Any) -> Templates | None:
    """Those of the application whose engine watches the request."""
    return getattr(scope.get("vitals"), "templates", None)
