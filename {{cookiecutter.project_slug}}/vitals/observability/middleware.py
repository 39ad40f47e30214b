"""How is every request watched from its first byte to its last?

The outermost layer: it opens the request's tally, gives the answer its id, answers 500 for what
nobody caught, and has it all written down. Measure before you add a line here (the template's
`make bench` counts the instructions): every request runs through it.
"""

import logging
import os
import re
from collections.abc import Awaitable, Iterator, Sequence
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems, request_stats
from vitals.observability import tracing
from vitals.observability.access_log import Recorder
from vitals.observability.route_label import route_label

GONE = 499  # the client went away: nginx's number
KNOWN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}").fullmatch
DEFECT = "a defect of the service; it is logged under this request_id"
Headers = Sequence[tuple[bytes, bytes]]

log = logging.getLogger("app.requests")


class Request(request_stats.Tally):
    """A tally that sees what goes in and out."""

    __slots__ = ("ended", "gone", "layer", "receive", "scope", "send", "started", "status")

    def __init__(self, layer: "Visibility", scope: Scope, receive: Receive, send: Send) -> None:
        # All of it here, Tally's part too: each call costs every request hundreds of instructions.
        for name, value in scope["headers"]:
            if name == b"x-request-id" and KNOWN_ID(value):
                self.request_id = str(value, "ascii")
                break
        else:
            self.request_id = next(_new_ids)
        self.calls = []
        self.cache = "none"
        self.cache_reason = ""
        self.bytes_out = 0
        self.error = ""
        self.layer = layer
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started = perf_counter()
        self.ended = 0.0
        self.status = 0
        self.gone = False

    def add(self, kind: str, ms: float, statement: str) -> None:
        self.calls.append((kind, ms, statement))
        if self.layer.traced:
            tracing.add_span(kind, ms, statement)

    def route(self) -> str:
        return route_label(self.scope)

    async def on_receive(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.disconnect" and not self.ended:
            self.gone = True
        return message

    def on_send(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
            if not message.get("more_body", False):
                self.ended = perf_counter()
        elif kind == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())  # may be shared: it stays as it is
            own = (b"x-request-id", self.request_id.encode())
            layer = self.layer
            fixed = layer.fixed(given) if layer.defaults else layer.headers
            if layer.server_timing:
                message["headers"] = [*given, own, (b"server-timing", self.timing()), *fixed]
            else:
                message["headers"] = [*given, own, *fixed]
        return self.send(message)

    def timing(self) -> bytes:
        """The vitals so far, as Server-Timing tells them."""
        told = b"app;dur=%.1f" % ((perf_counter() - self.started) * 1000)
        if self.calls:
            for kind, (calls, ms) in self.totals().items():
                told += f', {kind};dur={ms:.1f};desc="{calls} calls"'.encode()
        if self.cache != "none":
            told += f', cache;desc="{self.cache}"'.encode()
        return told


class Visibility:
    """Watch each request. `headers` are fixed ones that every answer gets.

    `defaults` are those that an answer gets if it has none of its own under the name.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        recorder: Recorder,
        server_timing: bool,
        headers: Headers = (),
        defaults: Headers = (),
    ) -> None:
        self.app = app
        self.recorder = recorder
        self.server_timing = server_timing
        self.headers = headers
        self.defaults = dict(defaults)
        self.traced = tracing.is_on()
        self._all = (*headers, *defaults)

    def fixed(self, given: Headers) -> Headers:
        """The headers for an answer that has `given` ones."""
        for name, _ in given:
            if name in self.defaults:
                own = dict(given)
                return [*self.headers, *(d for d in self.defaults.items() if d[0] not in own)]
        return self._all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(self, scope, receive, send)
        token = request_stats.current.set(request)
        if self.traced:
            tracing.hide_query()
        recorder = self.recorder
        recorder.metrics.active += 1
        try:
            await self.app(scope, request.on_receive, request.on_send)
        except ClientDisconnect:
            request.gone = True
        except Exception as error:
            await self._answer(request, error)
        except BaseException:  # cancelled: nobody waits for an answer
            request.gone = True
            raise
        finally:
            recorder.metrics.active -= 1
            status, ended = request.status, request.ended
            if request.gone or not ended:
                status = 500 if request.error and not request.gone else GONE
            seconds = (ended or perf_counter()) - request.started
            trace_id = tracing.trace_id() if self.traced else ""
            method, route = scope["method"], route_label(scope)
            recorder.record(request, trace_id, method, route, status, seconds)
            request_stats.current.reset(token)
            if (
                request.calls and (outer := request_stats.current.get()) is not None
            ):  # a test's budget
                outer.calls += request.calls

    async def _answer(self, request: Request, error: Exception) -> None:
        """Log a defect, once, and answer 500 if nothing was sent yet.

        Else the server sees an answer that has no end, and closes the connection.
        """
        request.error = type(error).__qualname__
        log.error("unhandled error", exc_info=error)
        if not request.status:
            answer = problems.answer(request.scope, problems.Problem(500, DEFECT))
            await answer(request.scope, request.receive, request.on_send)


def _make_ids() -> Iterator[str]:
    """Random ids without end; randomness is fetched for many at a time."""
    while True:
        stock = os.urandom(4096).hex()
        for at in range(0, len(stock), 32):
            yield stock[at : at + 32]


_new_ids = _make_ids()
