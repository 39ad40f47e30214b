"""The observed request: its stats, and the ASGI messages that it receives and sends."""

import os
import re
from collections.abc import Awaitable, Iterator, Sequence
from time import perf_counter

from starlette.types import Message, Receive, Scope, Send

from vitals.observability import tracing
from vitals.observability.access_log import AccessLog
from vitals.observability.route_label import NOTHING, route_label
from vitals.request_stats import RequestStats, WriteUnit

GONE = 499  # the client went away: nginx's number
KNOWN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}").fullmatch
CLOSE = (b"connection", b"close")
ADD_LINES = "vitals_add_lines"  # at scope["state"] of our own server: adds to an answer's head
Headers = Sequence[tuple[bytes, bytes]]


class Answers:
    """What is added to every answer, and who logs it.

    `headers` are fixed ones; `defaults` are added to an answer that has none under the name.
    """

    def __init__(
        self,
        access_log: AccessLog,
        *,
        server_timing: bool = False,
        headers: Headers = (),
        defaults: Headers = (),
    ) -> None:
        self.access_log = access_log
        self.server_timing = server_timing
        self.headers = headers
        self.defaults = dict(defaults)
        self.traced = tracing.is_on()
        self.all = (*headers, *defaults)
        self.lines = lines(self.all)  # as they are sent: uvicorn searches each header twice

    def close_connections(self) -> None:
        """From now on, have clients connect anew for their next request."""
        self.headers, self.all = (*self.headers, CLOSE), (*self.all, CLOSE)
        self.lines = b""  # the server has to see this one

    def fixed(self, given: Headers) -> Headers:
        """The headers for an answer that has `given` ones."""
        for name, _ in given:
            if name in self.defaults:
                own = dict(given)
                return [*self.headers, *(d for d in self.defaults.items() if d[0] not in own)]
        return self.all


class ObservedRequest(RequestStats):
    """The stats of a request, filled from its ASGI messages."""

    __slots__ = (
        *("answers", "ended", "first_byte", "gone", "head", "method"),
        *("receive", "scope", "send", "started", "status"),
    )

    def __init__(
        self, answers: Answers, method: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        # RequestStats' part too: a call would cost every request hundreds of instructions.
        self.request_id = new_id(scope["headers"])
        self.calls = []
        self.closed = False
        self.cache = "none"
        self.cache_reason = ""
        self.bytes_out = 0
        self.error = ""
        self.fields = None
        self.subject = ""
        self.answers = answers
        self.method = method
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started = perf_counter()
        self.ended = self.first_byte = 0.0
        self.status = 0
        self.gone = False

    def add(self, kind: str, ms: float, detail: str) -> None:
        super().add(kind, ms, detail)
        if self.answers.traced:
            tracing.add_span(kind, ms, detail)

    def unit_writer(self) -> WriteUnit:
        return self.answers.access_log.write_unit

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
            elif not self.first_byte:
                self._begin_stream(message)
        elif kind == "http.response.start":
            self.status = message["status"]
            given = self.head = message.get("headers", ())  # may be shared: it stays as it is
            own, answers = [(b"x-request-id", self.request_id.encode())], self.answers
            if answers.server_timing:
                own.append((b"server-timing", self.timing()))
            fixed = answers.fixed(given) if answers.defaults else answers.headers
            add_lines = self.scope.get("state", NOTHING).get(ADD_LINES)
            if add_lines and answers.lines and fixed is answers.all:
                add_lines(lines(own) + answers.lines)
            else:
                message["headers"] = [*given, *own, *fixed]
        return self.send(message)

    def _begin_stream(self, message: Message) -> None:
        """Note the first byte of an answer in parts, unless its first part is all of it."""
        length = next((value for name, value in self.head if name == b"content-length"), b"")
        if not length.isdigit() or int(length) > len(message.get("body", b"")):
            self.first_byte = perf_counter()
            self.answers.access_log.metrics.add_open("http_server_open_streams", self.route())

    def finish(self) -> None:
        """Write the line: when the answer is over, or before what runs in the background."""
        self.closed = True
        answers, status, counted = self.answers, self.status, 0.0
        outcome = "error" if self.error else "completed"
        if self.gone or not self.ended or (self.error and self._is_short()):
            status, outcome = self.unfinished()
        seconds = (self.ended or perf_counter()) - self.started
        route, client = route_label(self.scope), self.scope.get("client")
        metrics = answers.access_log.metrics
        metrics.active -= 1
        if self.first_byte:
            counted = self.first_byte - self.started
            self.fields = {**(self.fields or {}), "first_byte_ms": round(counted * 1000, 3)}
            metrics.add_open("http_server_open_streams", route, -1)
        trace_id = tracing.trace_id() if answers.traced else ""
        write = answers.access_log.write
        write(self, trace_id, self.method, route, status, seconds, outcome, client, counted)

    def _is_short(self) -> bool:
        """Whether fewer bytes were sent than its head says."""
        lengths = [int(value) for name, value in self.head if name == b"content-length"]
        return self.method != "HEAD" and self.bytes_out < sum(lengths)

    def unfinished(self) -> tuple[int, str]:
        """The status and the outcome of an answer that has no end, whatever its head said."""
        if cut := self.scope.get("state", {}).get("cut"):
            return cut, "deadline"
        if self.error and not self.gone:
            return 500, "error"
        return GONE, "client_left"

    def timing(self) -> bytes:
        """The vitals so far, for Server-Timing."""
        text = b"app;dur=%.1f" % ((perf_counter() - self.started) * 1000)
        if self.calls:
            for kind, (calls, ms) in self.totals().items():
                text += f', {kind};dur={ms:.1f};desc="{calls} calls"'.encode()
        if self.cache != "none":
            text += f', cache;desc="{self.cache}"'.encode()
        return text


def lines(headers: Headers) -> bytes:
    """Headers as they stand in an answer."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def new_id(headers: Headers) -> str:
    """The caller's ID, if it is a good one, or a new one."""
    for name, value in headers:
        if name == b"x-request-id" and KNOWN_ID(value):
            return str(value, "ascii")
    return next(_new_ids)


def _make_ids() -> Iterator[str]:
    """Random ids without end; randomness is fetched for many at a time."""
    while True:
        stock = os.urandom(4096).hex()
        for at in range(0, len(stock), 32):
            yield stock[at : at + 32]


_new_ids = _make_ids()
