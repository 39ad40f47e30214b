"""Request time-outs: cancels handlers that run longer than allowed, and handshakes of websockets.

An answer that began can't change its status any more: the connection is closed, and `cut` at
`scope["state"]` has the status that it is logged and counted with.

A connection can ask for the end of its request too, by a reason at `scope["state"]["end"]`. One
sweep over the requests in flight costs far less than a timer for each.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from time import monotonic

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.problems import Problem

SWEEP_SECONDS = 0.25
CANCEL_REASONS = {
    "late": (503, "no answer within the time that one request may take"),
    "stopping": (503, "the service is stopping"),
    "full": (503, "too many connections are open"),
    "slow": (408, "the request did not arrive in time"),
    "malformed": (400, "the request's body is malformed"),
    "large": (431, "the trailers of the request, or what stands between its chunks, is too large"),
}
DEADLINE = "deadline"  # of one route, at scope["state"]

log = logging.getLogger(__name__)


def deadline(seconds: float | None) -> Callable[[HTTPConnection], Awaitable[None]]:
    """Give a route its own time instead of APP_REQUEST_SECONDS; None for as long as it takes.

    `dependencies=[Depends(vitals.deadline(None))]`. It is the handler's time until the end of its
    answer, a stream included; a client that reads slowly takes none of it.
    """

    async def set_deadline(connection: HTTPConnection) -> None:
        connection.scope.setdefault("state", {})[DEADLINE] = seconds

    return set_deadline


class InFlight:
    """A request that is being answered."""

    __slots__ = ("_send", "end", "expires", "state", "task")

    def __init__(self, scope: Scope, send: Send, expires: float) -> None:
        self._send = send
        self.expires = expires
        self.state = scope.setdefault("state", {})
        self.task: asyncio.Task[None] = asyncio.current_task()  # type: ignore[assignment]
        self.end = ""

    def send(self, message: Message) -> Awaitable[None]:
        """Send on, and note how far the answer is; what runs after it has no time-out."""
        self.state["started"] = True
        if message["type"] == "http.response.body":
            if message.get("more_body"):
                return self._send_part(message)
            self.expires = math.inf
        elif message["type"] == "websocket.accept":
            self.expires = math.inf
        return self._send(message)

    async def _send_part(self, message: Message) -> None:
        """Send a part: a client that reads slowly takes none of the handler's time."""
        left, self.expires = self.expires - monotonic(), math.inf
        await self._send(message)
        self.expires = monotonic() + left


class RequestTimeout:
    """Cancels a request that must end; if its answer has begun, the connection is closed."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self._seconds = seconds
        self._in_flight: set[InFlight] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._sweeper = None  # an earlier one may belong to another event loop
            await self.app(scope, receive, send)
            return
        request = InFlight(scope, send, monotonic() + self._seconds)
        if end := request.state.get("end"):
            await _refuse(end, scope, receive, send)
            return
        self._in_flight.add(request)
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        try:
            await self.app(scope, receive, request.send)
        except asyncio.CancelledError:
            if not request.end:
                raise
            request.task.uncancel()  # it was cancelled here, and it ends here
            if "started" not in request.state:
                await _refuse(request.end, scope, receive, send)
            elif request.end in CANCEL_REASONS:
                status, reason = CANCEL_REASONS[request.end]
                request.state["cut"] = status
                log.warning("an answer was cut: %s", reason)
        finally:
            self._in_flight.discard(request)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = monotonic()
        for request in self._in_flight:
            if DEADLINE in request.state and request.expires < math.inf:
                seconds = request.state.pop(DEADLINE)
                request.expires += math.inf if seconds is None else seconds - self._seconds
            end = request.state.get("end") or (now >= request.expires and "late")
            if end and not request.end:
                request.end = end
                request.task.cancel()
        again = bool(self._in_flight)
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if again else None


async def _refuse(end: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the reason, unless the client is gone."""
    if end in CANCEL_REASONS:
        status, detail = CANCEL_REASONS[end]
        problem = Problem(status, detail, headers={"Connection": "close"})
        await problems.answer(scope, problem)(scope, receive, send)
