"""Can this service do its work, and since when?"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A question about one thing that lies outside our code; `probe` raises if the answer is no."""

    name: str
    probe: Callable[[], Awaitable[object]]


class Checks:
    """All checks of this process and what they mean together."""

    def __init__(self, checks: Iterable[Check], required: frozenset[str]) -> None:
        self._checks = tuple(checks)
        self._required = required

    async def start(self) -> None:
        """Run the first round; when this returns, the state of each check is known."""

    async def stop(self) -> None:
        """Stop asking."""
