"""The outermost layer: watches every request from its first byte to its last.

It opens the request's stats, gives the answer its id and headers, answers 500 for what nobody
handled, and writes the log line and the metrics. Measure before you add a line here (the
template's `make bench` counts instructions): every request runs through it.
"""

import logging
import os
import re
from collections.abc import Awaitable, Iterator, Sequence
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.observability import tracing
from vitals.observability.access_log import AccessLog
from vitals.observability.route_label import route_label
from vitals.request_stats import RequestStats, current

MARK = "vitals"  # in the scope of a request that is being watched
GONE = 499  # the client went away: nginx's number
KNOWN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}").fullmatch
Headers = Sequence[tuple[bytes, bytes]]

log = logging.getLogger("vitals.requests")


class ObservedRequest(RequestStats):
    """The stats of a request, and what goes in and out."""

    __slots__ = ("ended", "gone", "layer", "receive", "scope", "send", "started", "status")

    def __init__(
        self, layer: "ObservabilityMiddleware", scope: Scope, receive: Receive, send: Send
    ) -> None:
        # RequestStats' part too: a call would cost every request hundreds of instructions.
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
        """The vitals so far, for Server-Timing."""
        text = b"app;dur=%.1f" % ((perf_counter() - self.started) * 1000)
        if self.calls:
            for kind, (calls, ms) in self.totals().items():
                text += f', {kind};dur={ms:.1f};desc="{calls} calls"'.encode()
        if self.cache != "none":
            text += f', cache;desc="{self.cache}"'.encode()
        return text


class ObservabilityMiddleware:
    """Watches each request of `app`; another kind of scope goes to `others`.

    `headers` are fixed ones that every answer gets, `defaults` those that an answer gets if it
    has none of its own under the name. `mark` is put into the scope; a request that has one is
    watched already. With `head_as_get` HEAD is answered by the route for GET. With `reraise` an
    unhandled error is raised again, for whoever watches from outside.
    """

    def __init__(
        self,
        app: ASGIApp,
        others: ASGIApp,
        mark: object,
        access_log: AccessLog,
        *,
        server_timing: bool = False,
        headers: Headers = (),
        defaults: Headers = (),
        head_as_get: bool = False,
        reraise: bool = True,
    ) -> None:
        self.app = app
        self.others = others
        self.mark = mark
        self.access_log = access_log
        self.server_timing = server_timing
        self.headers = headers
        self.defaults = dict(defaults)
        self.head_as_get = head_as_get
        self.reraise = reraise
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
        if scope["type"] != "http" or MARK in scope:
            scope.setdefault(MARK, self.mark)  # a websocket's caller is verified by it
            await self.others(scope, receive, send)
            return
        method = scope["method"]
        if is_head := method == "HEAD" and self.head_as_get:
            scope = {**scope, "method": "GET"}  # a copy: the server has to see HEAD
        scope[MARK] = self.mark
        request = ObservedRequest(self, scope, receive, send)
        send_on = _without_body(request.on_send) if is_head else request.on_send
        token = current.set(request)
        if self.traced:
            tracing.hide_query()
        access_log = self.access_log
        access_log.metrics.active += 1
        try:
            await self.app(scope, request.on_receive, send_on)
        except ClientDisconnect:
            request.gone = True
        except Exception as error:
            await self._fail(request, error)
            if self.reraise:
                raise
        except BaseException:  # cancelled: nobody waits for an answer
            request.gone = True
            raise
        finally:
            access_log.metrics.active -= 1
            status, ended = request.status, request.ended
            if request.gone or not ended:
                status = 500 if request.error and not request.gone else GONE
            seconds = (ended or perf_counter()) - request.started
            trace_id = tracing.trace_id() if self.traced else ""
            access_log.write(request, trace_id, method, route_label(scope), status, seconds)
            current.reset(token)
            if request.calls and (outer := current.get()) is not None:  # a test's budget
                outer.calls += request.calls

    async def _fail(self, request: ObservedRequest, error: Exception) -> None:
        """Log an unhandled error, once, and answer 500 if nothing was sent and it ends here.

        Where an answer was cut short, the server sees that it has no end and closes.
        """
        request.error = type(error).__qualname__
        log.error("unhandled error", exc_info=error)
        if not request.status and not self.reraise:
            answer = problems.answer(request.scope, problems.Problem(500, problems.DEFECT))
            await answer(request.scope, request.receive, request.on_send)


def _without_body(send: Send) -> Send:
    """Send an answer's head only, as HEAD asks (RFC 9110, 9.3.2)."""

    def send_head(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        return send(message)

    return send_head


def _make_ids() -> Iterator[str]:
    """Random ids without end; randomness is fetched for many at a time."""
    while True:
        stock = os.urandom(4096).hex()
        for at in range(0, len(stock), 32):
            yield stock[at : at + 32]


_new_ids = _make_ids()
