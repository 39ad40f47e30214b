"""Which connections are served, and how long may a client take to send its request?

The HTTP parser itself has no limit on headers and waits for ever. What is refused here has not
become a request yet, so its answer is empty.
"""

import asyncio
from itertools import islice
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MOST_AT_ONCE = 100  # so that the end of a crowd holds up nobody
PROBES = (b"/livez", b"/readyz", b"/health", b"/metrics")


class Gate:
    """The limits that all connections share, and which of them wait for what.

    `most` may have a request at once, above that only probes are answered. With `spare` more open,
    the one that has been without a request for longest gives way to a new one.
    """

    def __init__(self, most: int, spare: int, header_bytes: int, read_seconds: float) -> None:
        self.most, self.spare = most, spare
        self.header_bytes, self.read_seconds = header_bytes, read_seconds
        self.open: set[Connection] = set()
        self.idle: dict[Connection, None] = {}  # without a request; the longest first
        self.reading: dict[Connection, float] = {}  # and since when; the longest first
        self._closing: dict[Connection, float] = {}

    def enter(self, connection: "Connection") -> None:
        """Let a connection in, in the place of an idle one if need be; without room, drop it."""
        if len(self.open) >= self.most + self.spare:
            self.drop(next(iter(self.idle), connection))
        if not connection.transport.is_closing():
            self.open.add(connection)
            self.idle[connection] = None
            self.reading[connection] = connection.loop.time()

    def full(self) -> bool:
        """Are more requests here than are served at once?"""
        return len(self.open) - len(self.idle) > self.most

    def leave(self, connection: "Connection") -> None:
        """Forget a connection."""
        self.open.discard(connection)
        for waiting in (self.idle, self.reading, self._closing):
            waiting.pop(connection, None)

    def drop(self, connection: "Connection") -> None:
        """Close a connection now, whatever is still to be sent."""
        self.leave(connection)
        connection.transport.abort()

    def sweep(self, now: float) -> None:
        """End what has taken too long: to send a request, or to fetch the rest of an answer."""
        oldest = now - self.read_seconds
        late = (connection for connection, since in self.reading.items() if since < oldest)
        for connection in list(islice(late, MOST_AT_ONCE)):
            del self.reading[connection]
            connection.too_slow()
        closing = [c for c in self.open if c.transport.is_closing()]
        self._closing = {c: self._closing.get(c, now) for c in closing}
        for connection in [c for c, since in self._closing.items() if since < oldest]:
            self.drop(connection)


class Connection(HttpToolsProtocol):
    """One client's connection, held to the limits of its gate."""

    gate: Gate

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_headers = True
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.gate.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gate.leave(self)
        self.end("gone")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._in_headers:
            super().data_received(data)
            return
        room = self.gate.header_bytes - self._header_bytes
        self._header_bytes += len(data)
        super().data_received(data[:room])
        if len(data) <= room or self.transport.is_closing():
            return
        if self._in_headers and self._header_bytes > self.gate.header_bytes:
            self._refuse(431)
        else:
            self.data_received(data[room:])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.gate.reading.setdefault(self, self.loop.time())

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self.gate.idle.pop(self, None)
        if self.gate.full() and self.url.partition(b"?")[0] not in PROBES:
            self.scope["state"]["end"] = "full"
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_headers, self._header_bytes = True, 0
        self.gate.reading.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.cycle.response_complete:  # not so if the next request is here already
            self.gate.idle[self] = None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's own words
        """Answer what is no HTTP like all that is refused here: empty."""
        self._refuse(400)

    def too_slow(self) -> None:
        """Answer 408, as far as there is something to answer."""
        if not self._in_headers:
            self.end("slow")
        elif self._header_bytes:
            self._refuse(408)
        else:
            self.transport.close()

    def end(self, reason: str) -> None:
        """Have the request that is being answered ended."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.scope["state"]["end"] = reason

    def close_after_answer(self) -> None:
        """Tell the client with the running answer that this connection closes."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _refuse(self, status: int) -> None:
        headers = [*self.server_state.default_headers, (b"content-length", b"0")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"connection: close\r\n\r\n")
        self.transport.close()
