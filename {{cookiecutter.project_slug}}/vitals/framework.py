"""What differs between versions of FastAPI: each difference behind one name, with a fall-back."""

import hashlib
import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from types import FunctionType
from typing import Any

from fastapi import routing

__all__ = ["configure_telemetry", "routes_with_prefixes", "routing_is_known"]

KNOWN_ROUTING = ("d3467cdb4a2bcca5",)  # FastAPI 0.165 with Starlette 1.10
# What the route index relies on. tests/contract/test_route_labels.py says when it changed.
# fmt: off
ROUTING = (
    "APIRouter.app", "APIRouter.handle", "APIRouter.matches", "APIRouter._get_routes_version",
    "APIRouter._iter_low_priority_routes", "_IncludedRouter.matches", "_IncludedRouter._match",
    "_IncludedRouter.handle", "_IncludedRouter._handle_selected",
    "_IncludedRouter.effective_candidates", "_EffectiveRouteContext.matches",
    "APIRoute.matches", "APIRoute.handle", "APIWebSocketRoute.matches", "_update_scope",
    "_apply_router_form_limits", "_route_selected", "_get_fastapi_scope",
    "routing.Route.matches", "routing.Route.handle", "routing.WebSocketRoute.matches",
    "routing.Mount.matches", "routing.Router.__call__", "routing.compile_path",
    "routing.get_route_path",
)
# fmt: on
log = logging.getLogger(__name__)


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


def routing_fingerprint() -> str:
    """A hash of the source of `ROUTING`, or what of it is missing or was replaced."""
    digest = hashlib.sha256()
    for name in ROUTING:
        try:
            part = attrgetter(name)(routing)
            if type(part) is not FunctionType:
                return f"{name} is replaced"
            digest.update(inspect.getsource(part.__code__).encode())
        except (AttributeError, OSError) as error:
            return f"{name}: {error}"
    return digest.hexdigest()[:16]


def routing_is_known(router: Any) -> bool:
    """Whether the route index can stand before a router's search; a warning says why not."""
    found = routing_fingerprint()
    if type(router) is not routing.APIRouter or router.middleware_stack != router.app:
        found = f"{type(router).__qualname__} with a search of its own"
    if found not in KNOWN_ROUTING:
        log.warning("the route index is off; FastAPI's routing is not a known one: %s", found)
    return found in KNOWN_ROUTING
