"""CORS: the origins of web pages that may call this service (Fetch standard, "HTTP-CORS protocol").

Credentials of the browser are never allowed: callers send a bearer token themselves.
"""

from collections.abc import Awaitable, Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
EXPOSED = (
    b"access-control-expose-headers",
    b"Location, Retry-After, Server-Timing, X-Request-ID",
)
VARY = (b"vary", b"Origin")


class CORS:
    """Lets the pages of `origins` read the answers. A request without an Origin just passes."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self.app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if (origin := headers.get(b"origin")) is None:
            await self.app(scope, receive, send)
            return
        is_allowed = origin in self._origins
        added = [VARY, EXPOSED, (b"access-control-allow-origin", origin)] if is_allowed else [VARY]

        def send_on(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            return send(message)

        app = self.app
        if (
            scope["method"] == "OPTIONS"
            and b"access-control-request-method" in headers
            and is_allowed
        ):
            app = Response(status_code=204, headers=PREFLIGHT)
        await app(scope, receive, send_on)
