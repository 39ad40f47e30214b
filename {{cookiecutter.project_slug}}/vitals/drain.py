"""Drain under uvicorn: alone, with workers, under gunicorn or `fastapi run`.

`vitals.serve` drains by itself. Elsewhere, SIGTERM makes the worker report that it is not ready
and go on for some seconds before uvicorn gets the signal. Supervisors repeat SIGTERM, so a
second one means nothing; SIGINT ends at once, as before.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any

from vitals.observability.stacks import in_main_thread

log = logging.getLogger(__name__)


class Drain:
    """Takes the place of uvicorn's handler of SIGTERM, until `remove`.

    `seconds` is what remains of those that are wanted: none while code is reloaded, nor elsewhere.
    """

    def __init__(self, seconds: float, begin: Callable[[], None]) -> None:
        self._begin, self._begun = begin, False
        self._theirs: Any = None
        self._loop = asyncio.get_running_loop()
        self.server = running_server()
        is_uvicorn = hasattr(self.server, "should_exit") and in_main_thread()
        reloads = getattr(getattr(self.server, "config", None), "reload", False)
        self.seconds = 0 if reloads or not is_uvicorn else seconds
        if is_uvicorn and not getattr(self.server, "drains", False):
            self._theirs = signal.signal(signal.SIGTERM, self._handle)

    def remove(self) -> None:
        """Put uvicorn's handler back, unless somebody replaced this one."""
        if self._theirs is not None and signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, self._theirs)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if not self._begun:
            self._begun = True
            self._loop.call_soon_threadsafe(self._start, number)

    def _start(self, number: int) -> None:
        self._begin()
        log.info("draining for %g s, then stopping", self.seconds)
        self._loop.call_later(self.seconds, self._theirs, number, None)


def running_server() -> object:
    """The server whose method handles SIGTERM; None where that is a function, or nothing."""
    handler = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return handler.server if isinstance(handler, Drain) else handler


def may_be_one_of_several() -> bool:
    """Whether the server has, or may have, more workers than this process."""
    workers = getattr(getattr(running_server(), "config", None), "workers", 1)
    return workers > 1 or "gunicorn.arbiter" in sys.modules


def about(drain: Drain | None) -> dict[str, object]:
    """The server, as far as it is known, whether it runs a lifespan, and how long it drains."""
    server = running_server()
    package = type(server).__module__.partition(".")[0]
    names = [] if package == "builtins" else [package]
    found: dict[str, object] = {"lifespan": drain is not None}
    found |= {"drain_seconds": drain.seconds} if drain else {}
    names += ["gunicorn"] if "gunicorn.arbiter" in sys.modules else []
    return {"server": " under ".join(map(_with_version, names)) or "unknown", **found}


def _with_version(name: str) -> str:
    with suppress(PackageNotFoundError):
        return f"{name} {version(name)}"
    return name
