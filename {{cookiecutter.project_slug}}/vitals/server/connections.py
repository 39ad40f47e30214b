"""Limits of connections: their number, the size of headers, the time to send a request.

The HTTP parser itself has no limit on headers and waits without end. What is refused here is not
a request yet, so its answer has no body.
"""

import asyncio
from itertools import islice
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_PER_SWEEP = 100  # so that ending many connections does not delay other requests
PROBES = (b"/livez", b"/readyz", b"/health", b"/metrics")


class ConnectionLimiter:
    """The limits that all connections share.

    `max_active` connections may have a request at once, above that only probes are answered. With
    `max_idle` more open, the one that is idle for longest is closed for a new one.
    """

    def __init__(
        self, max_active: int, max_idle: int, header_bytes: int, read_seconds: float
    ) -> None:
        self.max_active, self.max_idle = max_active, max_idle
        self.header_bytes, self.read_seconds = header_bytes, read_seconds
        self.open: set[Connection] = set()
        self.idle: dict[Connection, None] = {}  # without a request; the longest idle first
        self.reading: dict[Connection, float] = {}  # and since when; the longest first
        self._closing: dict[Connection, float] = {}

    def register(self, connection: "Connection") -> None:
        """Add a connection, in the place of an idle one if need be; without room, abort it."""
        if len(self.open) >= self.max_active + self.max_idle:
            self.abort(next(iter(self.idle), connection))
        if not connection.transport.is_closing():
            self.open.add(connection)
            self.idle[connection] = None
            self.reading[connection] = connection.loop.time()

    def full(self) -> bool:
        """Whether more connections have a request than are served at once."""
        return len(self.open) - len(self.idle) > self.max_active

    def unregister(self, connection: "Connection") -> None:
        """Remove a connection."""
        self.open.discard(connection)
        for waiting in (self.idle, self.reading, self._closing):
            waiting.pop(connection, None)

    def abort(self, connection: "Connection") -> None:
        """Close a connection now, whatever is still to be sent."""
        self.unregister(connection)
        connection.transport.abort()

    def sweep(self, now: float) -> None:
        """End what takes too long: to send a request, or to read the rest of an answer."""
        oldest = now - self.read_seconds
        late = (connection for connection, since in self.reading.items() if since < oldest)
        for connection in list(islice(late, MAX_PER_SWEEP)):
            del self.reading[connection]
            connection.too_slow()
        closing = [c for c in self.open if c.transport.is_closing()]
        self._closing = {c: self._closing.get(c, now) for c in closing}
        for connection in [c for c, since in self._closing.items() if since < oldest]:
            self.abort(connection)


class Connection(HttpToolsProtocol):
    """One client's connection, within the limits of its limiter."""

    limiter: ConnectionLimiter

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_headers = True
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.limiter.register(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.limiter.unregister(self)
        self.end("gone")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._in_headers:
            super().data_received(data)
            return
        room = self.limiter.header_bytes - self._header_bytes
        self._header_bytes += len(data)
        super().data_received(data[:room])
        if len(data) <= room or self.transport.is_closing():
            return
        if self._in_headers and self._header_bytes > self.limiter.header_bytes:
            self._refuse(431)
        else:
            self.data_received(data[room:])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.limiter.reading.setdefault(self, self.loop.time())

    def on_headers_complete(self) -> None:
        self._in_headers = False
        if not self.url.startswith(b"/"):  # RFC 9112, 3.2.2: its host counts
            self.scope["state"]["target"] = self.url
        self.limiter.idle.pop(self, None)
        if self.limiter.full() and self.url.partition(b"?")[0] not in PROBES:
            self.scope["state"]["end"] = "full"
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_headers, self._header_bytes = True, 0
        self.limiter.reading.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.cycle.response_complete:  # not so if the next request is here already
            self.limiter.idle[self] = None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's own text
        """Answer malformed HTTP like all that is refused here: empty."""
        self._refuse(400)

    def too_slow(self) -> None:
        """Answer 408, if a request has begun."""
        if not self._in_headers:
            self.end("slow")
        elif self._header_bytes:
            self._refuse(408)
        else:
            self.transport.close()

    def end(self, reason: str) -> None:
        """Cancel the request that is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.scope["state"]["end"] = reason

    def close_after_answer(self) -> None:
        """Send `Connection: close` with the current answer."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _refuse(self, status: int) -> None:
        headers = [*self.server_state.default_headers, (b"content-length", b"0")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"connection: close\r\n\r\n")
        self.transport.close()
