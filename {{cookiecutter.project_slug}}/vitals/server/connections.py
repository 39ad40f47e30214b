"""One client's connection: one request at a time, within the limits of vitals.server.limits.

The parser gets one part of a message at a time, and nothing while a request waits for its answer:
what a client pipelines stays unread. What is refused before there is a request has an answer
without a body.
"""

import asyncio
import math
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from vitals.server.limits import (
    BODY,
    DISCARD,
    HANDLING,
    HEAD,
    IDLE,
    MIN_BYTES_PER_SECOND,
    WEBSOCKET,
    ConnectionLimiter,
)
from vitals.server.parts import Parts
from vitals.server.transport import Flow, Transport
from vitals.server.upgrades import body_parser, is_websocket

PROBES = (b"/livez", b"/readyz", b"/health", b"/metrics")
MAX_UNREAD = 65_536  # bytes that wait for an answer; above it nothing is read
MAX_DISCARDED = 33_554_432  # bytes of a request that nobody reads
CANCEL_SECONDS = 2.0  # for a handler that was asked to end


class Connection(HttpToolsProtocol):
    """One client's connection."""

    limiter: ConnectionLimiter

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = self.loop.time()
        self.state, self.deadline = HEAD, now + self.limiter.read_seconds
        self.parts = Parts(self.limiter.header_bytes)
        self._refused = False  # nothing more is parsed
        self._discarded = 0
        self._upgrade_ignored = False
        self._seen, self._seen_sent = now, 0  # bytes of answers that had left, and when

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", Transport(transport, self._close)))
        self.flow = Flow(transport)
        self.limiter.register(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.limiter.unregister(self)
        self.end("gone")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.state == DISCARD:
            self._discarded += len(data)
            if self._discarded > MAX_DISCARDED:
                self.transport.abort()
        if not self._refused:
            self.parts.add(data)
            self._parse()

    def _parse(self) -> None:
        """Parse what came, until a request waits for its answer."""
        while self.parts and self.state != HANDLING and not self._refused:
            awaits_head = self.state in (HEAD, IDLE)
            part = self.parts.next(in_body=not awaits_head)
            try:
                self.parser.feed_data(part)
            except HttpParserUpgrade:
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
                    return
                self._upgrade_ignored = True
                body_parser(self, self.scope["headers"])
            except HttpParserError:
                self._refuse(400)
            if not part:
                self._refuse(431)
            elif awaits_head and self.state == BODY:
                length = dict(self.scope["headers"]).get(b"content-length", b"0")
                self.parts.begin_body(int(length))
                self.limiter.await_body(self)
        self.flow.hold(held=len(self.parts) > MAX_UNREAD)

    def _should_upgrade(self) -> bool:
        asked = is_websocket(self.scope["method"], self.scope["headers"])
        return asked and self.ws_protocol_class is not None

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, with what came after the head."""
        self.state, self.deadline = WEBSOCKET, math.inf
        self.transport = cast("Transport", self.transport).wrapped
        super().handle_websocket_upgrade()
        if self.parts:
            websocket = cast("asyncio.Protocol", self.transport.get_protocol())
            websocket.data_received(self.parts.rest())

    # What the parser reports

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.state == IDLE:
            self.state, self.deadline = HEAD, self.loop.time() + self.limiter.read_seconds

    def on_headers_complete(self) -> None:
        self.limiter.idle.pop(self, None)
        if self.limiter.full() and self.url.partition(b"?")[0] not in PROBES:
            self.scope["state"]["end"] = "full"
        super().on_headers_complete()
        self.state = BODY
        self.headers = []  # what follows is a trailer, and never a header (RFC 9110, 6.5.1)

    def on_chunk_header(self) -> None:
        self.parts.begin_chunk()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # so it says whenever it sees an Upgrade; the body is still to come
        self.parts.end_message()
        self.limiter.awaiting_body.pop(self, None)
        if self.state == DISCARD:
            self._await_request()
        else:
            self.state, self.deadline = HANDLING, math.inf
            self.cycle.more_body = False
            self.cycle.message_event.set()

    # The answer

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._refused or self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.state == HANDLING:
            self._await_request()
        elif self.expect_100_continue:  # then the body may never come
            self._close()
        else:
            self.state = DISCARD
        self._parse()

    def _await_request(self) -> None:
        self.state, self.deadline = IDLE, self.loop.time() + self.limiter.keep_alive_seconds
        self.limiter.idle[self] = None
        if self._upgrade_ignored:
            self._upgrade_ignored = False
            self.parser = HttpRequestParser(self)

    def end(self, reason: str) -> None:
        """Cancel the request that is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.scope["state"]["end"] = reason

    def close_after_answer(self) -> None:
        """Send `Connection: close` with the current answer."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    # The ends of a connection

    def stalls(self, now: float) -> bool:
        """Whether answers wait for a client that has not read enough of them for too long."""
        if self.state == WEBSOCKET:
            return False
        waiting = self.transport.get_write_buffer_size()
        if waiting and now - self._seen < self.limiter.request_seconds:
            return False
        sent = cast("Transport", self.transport).written - waiting
        is_slow = sent - self._seen_sent < MIN_BYTES_PER_SECOND * (now - self._seen)
        self._seen, self._seen_sent = now, sent
        return bool(waiting) and is_slow

    def expire(self) -> None:
        """End what took too long in its state."""
        if self in self.limiter.awaiting_body:
            self._await_end("slow")
        elif self.state == HEAD and self.parts.begun():
            self._refuse(408)
        elif self.state in (HEAD, IDLE):
            self.transport.close()
        else:
            self.limiter.abort(self)

    def _await_end(self, reason: str) -> None:
        """Have the handler answer why the body is not read to its end."""
        self.limiter.awaiting_body.pop(self, None)
        self.deadline = self.loop.time() + CANCEL_SECONDS
        self.end(reason)

    def _refuse(self, status: int) -> None:
        """Parse no more of what came, and answer why."""
        self._refused = True
        if self.state == BODY:
            self._await_end("malformed" if status == 400 else "large")
            return
        if self.state != DISCARD:
            headers = [*self.server_state.default_headers, (b"content-length", b"0")]
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(STATUS_LINE[status] + lines + b"connection: close\r\n\r\n")
        self._linger()

    def _close(self) -> None:
        """Close; but while the client still sends, a reset would take the answer from it."""
        if self.state == BODY or (self.parts and self.state != DISCARD):
            self._linger()
        else:
            cast("Transport", self.transport).wrapped.close()

    def _linger(self) -> None:
        """Send the end of the answer, and throw away what comes until the client closes."""
        self.state, self.deadline = DISCARD, self.loop.time() + self.limiter.read_seconds
        self._refused = True
        self.parts.rest()
        self.limiter.awaiting_body.pop(self, None)
        if not self.transport.is_closing():
            self.limiter.idle[self] = None
            self.flow.hold(held=False)
            self.flow.resume_reading()
            self.transport.write_eof()
