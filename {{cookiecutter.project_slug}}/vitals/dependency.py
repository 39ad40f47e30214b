"""What lies outside the process: the shape of a dependency, and of a check of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class CheckFailed(Exception):
    """Raised by a check's probe; the text is the whole reason."""


@dataclass(frozen=True)
class Check:
    """A question about one thing; `probe` raises if it is not well.

    A probe has one second. `remedy` tells the on-call engineer what to do when it fails.
    """

    name: str
    probe: Callable[[], Awaitable[object]]
    remedy: str = ""


class Lifecycle(Protocol):
    """What is opened at the start and closed at the end."""

    async def open(self) -> None:
        """Get ready to be used. A server that is away is no error: the check reports it."""

    async def close(self) -> None:
        """Give back what `open` took."""


class Dependency(Lifecycle, Protocol):
    """Something outside the process that the service uses."""

    name: str

    def checks(self) -> list[Check]:
        """The checks that tell whether it can be used."""

    def gauges(self) -> Mapping[str, float]:
        """What it holds now, by the names of /metrics."""
