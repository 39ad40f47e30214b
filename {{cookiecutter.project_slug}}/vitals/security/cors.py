"""CORS: the origins of web pages that may call this service (Fetch standard, "HTTP-CORS protocol").

Credentials of the browser are never allowed: callers send a bearer token themselves. `Vary: Origin`
is among the headers of every answer (`vitals.engine`), so that no cache mixes up two origins.
"""

from collections.abc import Awaitable, Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Max-Age": "600",
}
EXPOSED = (
    b"access-control-expose-headers",
    b"Content-Disposition, ETag, Link, Location, Retry-After, Server-Timing, X-Request-ID",
)
VARY = {"Vary": "Origin"}


class CORS:
    """Lets the pages of `origins` send `headers` and read the answers. Other requests just pass."""

    def __init__(self, app: ASGIApp, origins: Iterable[str], headers: Iterable[str]) -> None:
        self.app = app
        self._origins = frozenset(origin.encode() for origin in origins)
        self._preflight = PREFLIGHT | {"Access-Control-Allow-Headers": ", ".join(headers)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if (origin := headers.get(b"origin")) not in self._origins:
            await self.app(scope, receive, send)
            return
        added = [EXPOSED, (b"access-control-allow-origin", origin)]

        def send_on(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            return send(message)

        app = self.app
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            app = Response(status_code=204, headers=self._preflight)
        await app(scope, receive, send_on)
