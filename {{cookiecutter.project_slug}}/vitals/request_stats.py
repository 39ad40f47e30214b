"""What has the running request cost so far?

Whoever leaves the process adds to the tally of the request that it works for; the log line, the
metrics and Server-Timing show what is there. Outside a request nothing is kept.
"""

import logging
from collections import Counter
from contextvars import ContextVar
from typing import Literal

CacheResult = Literal["hit", "miss", "bypass", "error"]

log = logging.getLogger("app.tally")


class Tally:
    """One request's costs. Shared by all tasks and threads that work for the request."""

    __slots__ = ("bytes_out", "cache", "cache_reason", "calls", "error", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.calls: list[tuple[str, float, str]] = []  # only appended to: safe from any thread
        self.cache: CacheResult | Literal["none"] = "none"
        self.cache_reason = ""
        self.bytes_out = 0
        self.error = ""

    def add(self, kind: str, ms: float, statement: str) -> None:
        """Count one call."""
        self.calls.append((kind, ms, statement))

    def route(self) -> str:
        """The label of the route that is at work, or an empty text."""
        return ""

    def total(self, kind: str) -> tuple[int, float]:
        """How many calls of a kind there were, and their milliseconds together."""
        times = [ms for called, ms, _ in self.calls if called == kind]
        return len(times), sum(times)

    def totals(self) -> dict[str, tuple[int, float]]:
        """The total of each kind, in the order in which the kinds came up."""
        return {kind: self.total(kind) for kind in dict.fromkeys(call[0] for call in self.calls)}

    def statements(self) -> list[tuple[str, int]]:
        """How many times each statement ran, the most frequent first."""
        return Counter(statement for _, _, statement in self.calls if statement).most_common()


current: ContextVar[Tally | None] = ContextVar("tally", default=None)


def add(kind: str, ms: float, statement: str = "") -> None:
    """Count one call of a kind ("db", "http"), its milliseconds and, for "db", its statement."""
    if (tally := current.get()) is not None:
        tally.add(kind, ms, statement)


def slow(statement: str, ms: float) -> None:
    """Warn of a statement that took long; its parameters are nowhere."""
    log.warning("slow statement", extra={"statement": statement, "statement_ms": round(ms, 1)})


def cache(result: CacheResult, reason: str = "") -> None:
    """Note how the cache answered and, for a bypass, why; the last answer stands."""
    if (tally := current.get()) is not None:
        tally.cache, tally.cache_reason = result, reason


def request_id() -> str:
    """The running request's id, or an empty text outside a request."""
    return tally.request_id if (tally := current.get()) is not None else ""
