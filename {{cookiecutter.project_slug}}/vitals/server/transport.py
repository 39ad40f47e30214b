"""The transport that uvicorn's protocol gets: it counts, and can be held."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class Transport:
    """Counts the bytes that are written, and leaves the closing to its connection."""

    def __init__(self, wrapped: asyncio.Transport, close: Callable[[], None]) -> None:
        self.wrapped, self.close, self.written = wrapped, close, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self.wrapped.write(data)


class Flow(FlowControl):
    """uvicorn's flow control, which does not resume to read while it is held."""

    _held = False

    def hold(self, *, held: bool) -> None:
        """Stop reading, or read again."""
        if held:
            self._held = True
            self.pause_reading()
        elif self._held:
            self._held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        if not self._held:
            super().resume_reading()
