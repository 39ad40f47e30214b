"""The transport of a connection, as uvicorn's protocol sees it."""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable
from typing import Any


class Transport:
    """What uvicorn's protocol writes to: it counts, can be held, and lets the protocol close."""

    def __init__(self, wrapped: asyncio.Transport, close: Callable[[], None]) -> None:
        self.wrapped, self.close, self.written, self.held = wrapped, close, 0, False
        self.is_closing = wrapped.is_closing  # asked for each request

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self.wrapped.write(data)

    def sent(self) -> int:
        """The bytes that have left: neither here nor in the kernel's queue, which is large."""
        handle = self.wrapped.get_extra_info("socket").fileno()
        queued = fcntl.ioctl(handle, termios.TIOCOUTQ, bytes(4))
        waiting = self.wrapped.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)
        return self.written - waiting

    def hold(self, *, held: bool) -> None:
        """Read nothing until it is no longer held, whoever resumes."""
        if held != self.held:
            self.held = held
            (self.wrapped.pause_reading if held else self.wrapped.resume_reading)()

    def resume_reading(self) -> None:
        if not self.held:
            self.wrapped.resume_reading()
