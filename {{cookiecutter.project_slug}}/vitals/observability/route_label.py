"""The route of a request as a metric label: a bounded number, whatever paths clients send."""

from typing import Any

UNMATCHED = "__unmatched__"
MOUNTED = "__mounted__"
NOTHING: dict[str, Any] = {}


def route_label(scope: Any) -> str:
    """The route's template with all its prefixes, in constant time.

    `scope["route"].path` alone has lost the prefixes of `include_router` since FastAPI 0.137;
    the context read here is private to FastAPI: tests/contract/test_route_labels.py watches it.
    """
    route = scope.get("route")
    if route is None:  # nothing matched, or what is mounted has no routes
        is_frontend = "frontend_path" in scope.get("fastapi", NOTHING)
        return MOUNTED if is_frontend or "endpoint" in scope else UNMATCHED
    context = scope.get("fastapi", NOTHING).get("effective_route_context")
    if context is not None and context.original_route is route:
        route = context
    path: str = route.path_format
    return path if "app_root_path" not in scope else _mount(scope, path) + path


def _mount(scope: Any, path: str) -> str:
    """The prefix of a mounted app; one that holds parameters would grow without bound."""
    if len(scope["path_params"]) > path.count("{"):
        return MOUNTED
    prefix: str = scope["root_path"]
    return prefix.removeprefix(scope["app_root_path"])
