"""What ends a request that is still being answered, and what is its client told?

Its own deadline, or whoever put the reason at `scope["state"]["end"]`: the connection that it
came by. One sweep over the running requests costs far less than a timer for each.
"""

import asyncio
import math
from collections.abc import Awaitable
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.problems import Problem

SWEEP_SECONDS = 0.25
ENDS = {
    "late": (503, "no answer within the time that one request may take"),
    "stopping": (503, "the service is stopping"),
    "full": (503, "too many connections are open"),
    "slow": (408, "the request did not arrive in time"),
}


class Running:
    """A request that is being answered."""

    __slots__ = ("_send", "end", "expires", "started", "state", "task")

    def __init__(self, scope: Scope, send: Send, expires: float) -> None:
        self._send = send
        self.expires = expires
        self.state = scope.setdefault("state", {})
        self.task = cast("asyncio.Task[None]", asyncio.current_task())
        self.started = False
        self.end = ""

    def send(self, message: Message) -> Awaitable[None]:
        """Send on, and note how far the answer is; what runs after it has no deadline."""
        self.started = True
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.expires = math.inf
        return self._send(message)


class Deadlines:
    """Cancels a request that must end; if its answer has begun, the connection is closed."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._running: set[Running] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        running = Running(scope, send, loop.time() + self._seconds)
        if end := running.state.get("end"):
            await _tell(end, scope, receive, send)
            return
        self._running.add(running)
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        try:
            await self._app(scope, receive, running.send)
        except asyncio.CancelledError:
            if not running.end:
                raise
            running.task.uncancel()  # it was ours, and it ends here
            if not running.started:
                await _tell(running.end, scope, receive, send)
        finally:
            self._running.discard(running)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for running in self._running:
            end = running.state.get("end") or (now >= running.expires and "late")
            if end and not running.end:
                running.end = end
                running.task.cancel()
        again = bool(self._running)
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if again else None


async def _tell(end: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the reason, unless nobody is there to hear it."""
    if end in ENDS:
        status, detail = ENDS[end]
        problem = Problem(status, detail, headers={"Connection": "close"})
        await problems.answer(scope, problem)(scope, receive, send)
