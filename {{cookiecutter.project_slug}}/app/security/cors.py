"""Which pages' scripts may read our answers? (The Fetch standard, "HTTP-CORS protocol")

Credentials of the browser are never allowed: callers send a bearer token themselves.
"""

from collections.abc import Awaitable, Callable, Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.errors import Problem

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
EXPOSED = b"Location, Retry-After, Server-Timing, X-Request-ID"
VARY = (b"vary", b"Origin")


class Cors:
    """Lets the pages of `origins` read our answers, and asks nothing of requests without one."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = dict(scope["headers"]) if scope["type"] == "http" else {}
        if (origin := asked.get(b"origin")) is None:
            await self._app(scope, receive, send)
            return
        send = self._telling(origin, send)
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in asked:
            await self._preflight(scope, origin)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _preflight(self, scope: Scope, origin: bytes) -> Response:
        if origin in self._origins:
            return Response(status_code=204, headers=PREFLIGHT)
        problem = Problem(403, "scripts of this origin may not call", expected="an allowed origin")
        return errors.answer(scope, problem)

    def _telling(self, origin: bytes, send: Send) -> Callable[[Message], Awaitable[None]]:
        told = [VARY]
        if origin in self._origins:
            told += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", EXPOSED),
            ]

        def send_on(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *told]
            return send(message)

        return send_on
