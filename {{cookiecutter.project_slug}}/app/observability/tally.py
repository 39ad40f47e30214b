"""What has the running request cost so far?

Whoever leaves the process adds to the tally of the request that it works for; the log line, the
metrics and Server-Timing show what is there. Outside a request nothing is kept.
"""

from collections import Counter
from contextvars import ContextVar
from typing import Literal

CacheResult = Literal["hit", "miss", "bypass", "error"]


class Tally:
    """One request's costs. Shared by all tasks and threads that work for the request."""

    __slots__ = ("cache", "calls", "ms", "request_id", "statements")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.calls: Counter[str] = Counter()
        self.ms: Counter[str] = Counter()
        self.statements: Counter[str] = Counter()
        self.cache: CacheResult | Literal["none"] = "none"


current: ContextVar[Tally | None] = ContextVar("tally", default=None)


def add(kind: str, ms: float, statement: str = "") -> None:
    """Count one call of a kind ("db", "http"), its milliseconds and, for "db", its statement."""
    if (tally := current.get()) is not None:
        tally.calls[kind] += 1
        tally.ms[kind] += ms
        if statement:
            tally.statements[statement] += 1


def cache(result: CacheResult) -> None:
    """Note how the cache answered; the last answer stands."""
    if (tally := current.get()) is not None:
        tally.cache = result


def request_id() -> str:
    """The running request's id, or an empty text outside a request."""
    return tally.request_id if (tally := current.get()) is not None else ""
