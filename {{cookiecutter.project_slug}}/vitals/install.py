"""Which layers and guards does a request pass on its way to a route?

The first layer is the outermost. What is not set is not installed.
"""

from collections.abc import Callable
from functools import partial

from fastapi import FastAPI
from fastapi.middleware import Middleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from vitals.observability.access_log import Recorder
from vitals.observability.middleware import Visibility
from vitals.security import guard, headers
from vitals.security.body_limit import BodyLimit
from vitals.security.cors import Cors
from vitals.security.guard import Allows
from vitals.security.hosts import Hosts
from vitals.security.jwks import Keys
from vitals.security.request_timeout import Deadlines
from vitals.security.tokens import Tokens
from vitals.settings import Settings, SettingsRefused


def build_layers(
    settings: Settings, recorder: Recorder, uploads: tuple[str, ...] = ()
) -> list[Middleware]:
    """Name the layers; bodies sent to a path that ends like one of `uploads` may be larger."""
    far = settings.environment in ("staging", "production")
    layers = [
        Middleware(
            Visibility,
            recorder=recorder,
            server_timing=settings.server_timing,
            headers=headers.raw(headers.FIXED | (headers.HTTPS_ONLY if far else {})),
            defaults=headers.raw(headers.VARIABLE),
        ),
        Middleware(Deadlines, seconds=settings.request_seconds),
    ]
    if settings.trusted_proxies:
        layers.append(Middleware(ProxyHeadersMiddleware, trusted_hosts=[*settings.trusted_proxies]))
    if settings.allowed_hosts:
        layers.append(Middleware(Hosts, allowed=settings.allowed_hosts))
    if settings.cors_origins:
        layers.append(Middleware(Cors, origins=settings.cors_origins))
    layers.append(
        Middleware(
            BodyLimit,
            max_bytes=settings.max_body_bytes,
            max_upload_bytes=settings.max_upload_bytes,
            uploads=uploads,
        )
    )
    return layers


def build_allows(settings: Settings) -> Callable[[str], Allows]:
    """What a route asks for its guard: `allows("items:write")`."""
    if settings.auth == "off":
        return partial(Allows, None)
    keys = Keys(settings.auth_jwks_url)
    return partial(Allows, Tokens(keys, settings.auth_issuer, settings.auth_audience).verify)


def refuse_unguarded(service: FastAPI, settings: Settings) -> None:
    """Raise SettingsRefused with a line for each route that somebody could call by oversight."""
    near = settings.environment in ("local", "test")
    if faults := guard.faults(service, everybody=near):
        raise SettingsRefused(faults)
