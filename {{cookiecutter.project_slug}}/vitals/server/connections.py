"""One client's connection: one request at a time, within the limits of vitals.server.limits.

The parser gets one part of a message at a time, and nothing while a request waits for its answer.
What is refused before there is a request has an answer without a body.
"""

import asyncio
import math
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from vitals.observability.observed_request import lines
from vitals.security.body_limit import MAX_DISCARDED, content_length
from vitals.server.limits import CANCEL_SECONDS, State
from vitals.server.parts import Parts, ignore_upgrade
from vitals.server.transport import CLOSE, Transport
from vitals.server.websockets import Upgradable

MAX_UNREAD = 65_536  # bytes that wait for an answer; above it nothing is read
MAX_PARTS = 500  # that are parsed before others have their turn


class Connection(Upgradable):
    probes: frozenset[str]  # paths that are answered also above the limit

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.settings = self.limiter.settings
        self.parts = Parts(self.settings.max_header_bytes)
        self.on_chunk_header = self.parts.on_chunk_header
        super().__init__(*args, **kwargs)
        self._enter(State.HEAD, self.settings.request_read_seconds)
        self._refused, self._renew_parser, self._discarded = False, False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Transport(transport, self))  # type: ignore[arg-type]
        self.limiter.register(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.limiter.unregister(self)
        self.end("gone")
        self.parts.take()
        if self.websocket is not None:
            self.websocket.connection_lost(exc)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.state == State.DISCARD:
            self._discarded += len(data)
            if self._discarded > MAX_DISCARDED:
                self.transport.abort()
        if not self._refused:
            self.parts.add(data)
            self.parse()

    def _enter(self, state: str, seconds: float) -> None:
        self.state, self.deadline = state, self.loop.time() + seconds

    def parse(self) -> None:
        """Parse what came, until a request waits for its answer."""
        for _ in range(MAX_PARTS):
            if not self.parts.waiting or self.state == State.HANDLING or self._refused:
                if (held := self.parts.waiting > MAX_UNREAD) is not self.transport.held:
                    self.transport.hold(held=held)
                return
            if self.websocket is not None:
                self._pass_on()
                return
            self._parse_next()
        self.transport.hold(held=True)  # others have their turn
        self.loop.call_soon(self.parse)

    def _parse_next(self) -> None:
        awaits_head = self.state in (State.HEAD, State.IDLE)
        part = self.parts.next(in_body=not awaits_head)
        try:
            self.parser.feed_data(part)
        except HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
                return
            self._renew_parser = True
            ignore_upgrade(self, self.scope["headers"])
        except HttpParserError:
            self.refuse(400)
        if not part:
            self.refuse(431)
        elif awaits_head and self.state == State.BODY:
            length = dict(self.scope["headers"]).get(b"content-length", b"0")
            self.parts.left, self.parts.counted = content_length(length), 0
            self.limiter.await_body(self)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.state == State.IDLE:
            self._enter(State.HEAD, self.settings.request_read_seconds)

    def on_headers_complete(self) -> None:
        if not self.url.startswith(b"/"):  # RFC 9112, 3.2.2: its host counts
            self.scope["state"]["target"] = self.url
        self.limiter.idle.pop(self, None)
        if self.limiter.full() and self.url.partition(b"?")[0].decode("latin-1") not in self.probes:
            self.scope["state"]["end"] = "full"
        super().on_headers_complete()
        self.state = State.BODY
        self.headers = []  # what follows is a trailer, and never a header (RFC 9110, 6.5.1)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # so it says whenever it sees an Upgrade; the body is still to come
        self._renew_parser |= bool(self.headers)  # trailers such as Connection change its state
        self.parts.counted = 0
        self.limiter.awaiting_body.pop(self, None)
        if self.state == State.DISCARD:
            self._await_request()
        else:
            self.state, self.deadline = State.HANDLING, math.inf
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        if self._refused or self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.state == State.HANDLING:
            self._await_request()
        elif self.expect_100_continue:  # then the body may never come
            self.close()
        else:
            self.state = State.DISCARD
            self.limiter.awaiting_body.pop(self, None)
            self.limiter.idle[self] = None
        if self.parts.waiting:
            self.parse()

    def _await_request(self) -> None:
        self._enter(State.IDLE, self.settings.keep_alive_seconds)
        self.limiter.idle[self] = None
        self._discarded = 0
        if self._renew_parser:
            self._renew_parser = False
            self.parser = HttpRequestParser(self)

    def end(self, reason: str) -> None:
        """Cancel the request that is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.scope["state"]["end"] = reason

    def expire(self) -> None:
        """End what took too long in its state."""
        self.deadline = math.inf
        if self in self.limiter.awaiting_body:
            self._await_end("slow")
        elif self.state == State.HEAD and self.parts.counted:
            self.refuse(408)
        elif self.state in (State.HEAD, State.IDLE):
            self.transport.close()
        elif self.state == State.DISCARD and self.transport.get_write_buffer_size():
            self._enter(State.DISCARD, self.settings.request_read_seconds)  # it still reads
        else:
            self.limiter.abort(self)

    def _await_end(self, reason: str) -> None:
        """Have the handler answer why the body is not read to its end."""
        self.limiter.awaiting_body.pop(self, None)
        self.deadline = self.loop.time() + CANCEL_SECONDS
        self.end(reason)

    def refuse(self, status: int) -> None:
        """Parse no more of what came, and answer why."""
        self._refused = True
        if self.state == State.BODY:
            self._await_end("malformed" if status == 400 else "large")
            return
        if self.state != State.DISCARD:
            headers = [*self.server_state.default_headers, (b"content-length", b"0"), CLOSE]
            self.transport.write(STATUS_LINE[status] + lines(headers) + b"\r\n")
        self._linger()

    def close(self) -> None:
        """Close; but while the client still sends, a reset would take the answer from it."""
        if self.state == State.BODY or (self.parts.waiting and self.state == State.HANDLING):
            self._linger()
        else:
            self.transport.wrapped.close()

    def _linger(self) -> None:
        """Send the end of the answer, and throw away what comes until the client closes."""
        self._enter(State.DISCARD, self.settings.request_read_seconds)
        self._refused = True
        self.parts.take()
        self.limiter.awaiting_body.pop(self, None)
        if not self.transport.is_closing():
            self.limiter.idle[self] = None
            self.transport.hold(held=False)
            self.flow.resume_reading()
            self.transport.write_eof()
