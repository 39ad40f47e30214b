"""What differs between versions of FastAPI: each difference behind one name, with a fall-back."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import routing

__all__ = ["configure_telemetry", "routes_with_prefixes"]


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
