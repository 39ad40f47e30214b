"""What came on a connection and is not parsed yet, cut into the parts of its messages.

A part is a head, a body, a chunk, or a line of a head or of chunks that came in pieces. So each
byte counts for what it belongs to, however the network cuts them (RFC 9112, 2.1 and 7.1).
"""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from httptools import HttpRequestParser

END_OF_HEAD = b"\r\n\r\n"
FRAMING = frozenset((b"content-length", b"transfer-encoding"))
BODY_EVENTS = ("on_body", "on_chunk_header", "on_message_complete")


class Parts:
    """The unread bytes of a connection.

    A head has at most `max_bytes`; so has what stands before, between and behind the chunks of a
    body: their sizes, and the trailers.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._unread, self._at = b"", 0
        self.waiting = 0  # bytes that are not taken yet
        self.counted = 0  # bytes of this head, or since the last part of a body
        self._line = b""  # of the chunks, as far as it came
        self.left = 0  # bytes until the end of the body or of its chunk

    def add(self, data: bytes) -> None:
        if self.waiting:
            data = self._unread[self._at :] + data
        self._unread, self._at, self.waiting = data, 0, len(data)

    def next(self, *, in_body: bool) -> bytes:
        """Take the next part. It is empty when more bytes came than a head or a line may have."""
        unread, at = self._unread, self._at
        if self.left:
            part = unread[at : at + self.left]
            self.left -= len(part)
            self.counted = 0
        else:
            mark = b"\n" if in_body or self.counted else END_OF_HEAD
            found = unread.find(mark, at)
            end = found + len(mark) if found >= 0 else len(unread)
            part = unread[at : min(end, at + self._max_bytes - self.counted)]
            self.counted += len(part)
            if in_body:
                self._line = part if self._line.endswith(b"\n") else self._line + part
        self._at += len(part)
        self.waiting -= len(part)
        return part

    def take(self, size: int | None = None) -> bytes:
        """Take bytes that belong to no message: all of them, or the first `size`."""
        end = None if size is None else self._at + size
        taken = self._unread[self._at : end]
        self._at += len(taken)
        self.waiting -= len(taken)
        return taken

    def on_chunk_header(self) -> None:
        """The last line was the size of a chunk, and the parser has checked it."""
        self.left = int(self._line.partition(b";")[0], 16)


def ignore_upgrade(protocol: Any, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Have a protocol parse the body of a request with an Upgrade, as if it had none.

    For llhttp all that follows such a head is another protocol. So a second parser reads a head
    of the same framing, and goes on. It reports no headers: trailers are none (RFC 9110, 6.5.1).
    """
    framing = [name + b": " + value for name, value in headers if name in FRAMING]
    events = SimpleNamespace(**{name: getattr(protocol, name) for name in BODY_EVENTS})
    protocol.parser = HttpRequestParser(events)
    protocol.parser.feed_data(b"\r\n".join((b"POST / HTTP/1.1", *framing, b"", b"")))
