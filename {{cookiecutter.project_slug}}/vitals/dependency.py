"""The interface of dependencies (databases, caches, clients), and of their checks."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class CheckFailed(Exception):
    """Raised by a check's probe; the text is the whole reason."""


@dataclass(frozen=True)
class Check:
    """A health check; `probe` raises when it fails.

    A probe has one second. `remedy` tells the on-call engineer what to do when it fails.
    """

    name: str
    probe: Callable[[], Awaitable[object]]
    remedy: str = ""


class Dependency(Protocol):
    """Something outside the process that the service uses, opened at the start."""

    name: str

    async def open(self) -> None:
        """Get ready. Don't raise when the server is down: the check reports it."""

    async def close(self) -> None:
        """Release what `open` acquired, at the end."""

    def checks(self) -> list[Check]:
        """The checks of its health."""

    def gauges(self) -> Mapping[str, float]:
        """The current values, by the names of their metrics."""
