"""The transport of a connection, as uvicorn's protocols see it."""

import asyncio
import fcntl
import sys
import termios
from typing import Any

from vitals.observability.observed_request import ADD_LINES

CLOSE = (b"connection", b"close")
MIN_BYTES_PER_SECOND = 1_024  # of an answer that a client reads


class Transport:
    """Counts written bytes and can stop reading; closing is left to the connection."""

    def __init__(self, wrapped: asyncio.Transport, connection: Any) -> None:
        self.wrapped, self.written, self._write = wrapped, 0, wrapped.write
        self.held = self.paused = self._stopped = False
        self.is_closing = wrapped.is_closing  # asked for each request
        self.close, self.set_protocol = connection.close, connection.hand_over
        self._resumed = connection.resumed
        self._mark: tuple[float, int] | None = None  # when, and what had been sent by then
        self._lines = b""
        connection.app_state = {**connection.app_state, ADD_LINES: self.add_lines}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def add_lines(self, lines: bytes) -> None:
        """Add lines of headers, known to be valid, to the head of an answer: the next write."""
        self._lines = lines

    def write(self, data: bytes) -> None:
        if self._lines:
            status, end, rest = data.partition(b"\r\n")
            data, self._lines = b"".join((status, end, self._lines, rest)), b""
        self.written += len(data)
        self._write(data)

    def stalls(self, now: float, seconds: float) -> bool:
        """Whether data waits for a client that has not read enough of it for so many seconds."""
        if not self.wrapped.get_write_buffer_size():
            self._mark = None
        elif self._mark is None or now - self._mark[0] >= seconds:
            mark, self._mark = self._mark, (now, self._sent())
            if mark is not None:
                return self._mark[1] - mark[1] < MIN_BYTES_PER_SECOND * (now - mark[0])
        return False

    def _sent(self) -> int:
        """The bytes that have left: neither here nor in the kernel's queue, which is large."""
        handle = self.wrapped.get_extra_info("socket").fileno()
        queued = fcntl.ioctl(handle, termios.TIOCOUTQ, bytes(4))
        waiting = self.wrapped.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)
        return self.written - waiting

    def hold(self, *, held: bool) -> None:
        """Stop reading while it is held, even if uvicorn resumes reading."""
        self.held = held
        self._apply()

    def pause_reading(self) -> None:
        self.paused = True
        self._apply()

    def resume_reading(self) -> None:
        self.paused = False
        self._apply()
        self._resumed()

    def _apply(self) -> None:
        stop = self.held or self.paused
        if stop != self._stopped and not self.is_closing():
            self._stopped = stop
            (self.wrapped.pause_reading if stop else self.wrapped.resume_reading)()
