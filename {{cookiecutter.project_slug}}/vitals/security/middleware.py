"""The middleware between the outermost layer and the application's own, in their order.

Proxies are first, so that every line of the log has the client's address, then CORS, so that its
headers are on every refusal and a preflight is never refused; then hosts, the limits of queries
and bodies, and the time-out. Proxies and CORS are only installed where they are configured.
"""

from starlette.types import ASGIApp

from vitals.probes import BY_ADDRESS, under
from vitals.security.body_limit import BodyLimit
from vitals.security.cors import CORS
from vitals.security.hosts import judge_by
from vitals.security.request_timeout import RequestTimeout
from vitals.settings import Settings


def build_middleware(app: ASGIApp, settings: Settings, prefix: str = "") -> ASGIApp:
    """Wrap an application's stack, from the inside to the outside."""
    app = RequestTimeout(app, settings.request_seconds)
    judge, probes = judge_by(settings.allowed_hosts), under(prefix, BY_ADDRESS)
    app = BodyLimit(app, settings.max_body_bytes, settings.max_upload_bytes, judge, probes)
    if settings.cors_origins:
        app = CORS(app, settings.cors_origins, settings.cors_headers)
    if settings.trusted_proxies:
        from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

        # Its types are those of another package: ASGI's all the same.
        app = ProxyHeadersMiddleware(app, [*settings.trusted_proxies])  # type: ignore[assignment,arg-type]
    return app
