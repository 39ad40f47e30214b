"""The stats of the running request or job: its calls, their time and its cache result.

Each call to a database, cache or other service adds to them; the log line, the metrics and
Server-Timing show them. Outside a request or job nothing is recorded.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Literal

CacheResult = Literal["hit", "miss", "bypass", "error"]
MAX_FIELDS = 10  # of your own on the line of a request
MAX_TEXT = 200  # characters of each
MAX_CALLS = 10_000  # of one request; further ones are only counted


class RequestStats:
    """What one request costs. Shared by all tasks and threads that work for it."""

    __slots__ = (
        *("bytes_out", "cache", "cache_reason", "calls", "closed"),
        *("error", "fields", "request_id", "subject"),
    )

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.calls: list[tuple[str, float, str]] = []  # only appended to: safe from any thread
        self.closed = False
        self.cache: CacheResult | Literal["none"] = "none"
        self.cache_reason = ""
        self.bytes_out = 0
        self.error = ""
        self.fields: dict[str, Any] | None = None
        self.subject = ""

    def add(self, kind: str, ms: float, detail: str) -> None:
        """Count one call; none once the line is written, by a task that outlives the request."""
        if self.closed:
            return
        if len(self.calls) < MAX_CALLS:
            self.calls.append((kind, ms, detail))
        else:
            self.fields = self.fields or {}
            self.fields["calls_not_counted"] = self.fields.get("calls_not_counted", 0) + 1

    def unit_writer(self) -> "WriteUnit | None":
        """The function that writes the line of a unit of work inside this one."""
        return write_unit.get()

    def route(self) -> str:
        """The label of the route that handles it, or an empty text."""
        return ""

    def total(self, kind: str) -> tuple[int, float]:
        """The number of calls of a kind, and their milliseconds together."""
        times = [ms for called, ms, _ in self.calls if called == kind]
        return len(times), sum(times)

    def totals(self) -> dict[str, tuple[int, float]]:
        """The total of each kind, in the order of their first call."""
        totals = dict[str, tuple[int, float]]()
        for kind, ms, _ in self.calls:
            calls, before = totals.get(kind, (0, 0.0))
            totals[kind] = calls + 1, before + ms
        return totals

    def statements(self) -> list[tuple[str, int]]:
        """The number of times that each statement ran, the most frequent first."""
        texts = (detail for kind, _, detail in self.calls if kind == "db" and detail)
        return Counter(texts).most_common()


WriteUnit = Callable[[str, RequestStats, float, str, Mapping[str, Any]], None]
write_unit: ContextVar[WriteUnit | None] = ContextVar("write_unit", default=None)
current: ContextVar[RequestStats | None] = ContextVar("request_stats", default=None)


def add_call(kind: str, ms: float, detail: str = "") -> None:
    """Count one call of a kind ("db", "http"), its milliseconds, its statement or dependency.

    `http` joins the line of the running request as `http_calls` and `http_ms`, and the metric
    `dependency_call_duration_seconds`. Raises ValueError if the kind is no identifier, or the time
    is no number of milliseconds.
    """
    if not kind.isidentifier():  # it becomes the name of a field and of a timing
        raise ValueError(f"kind of a call: got {kind!r}; expected an identifier, such as 'http'")
    if not 0 <= ms < math.inf:  # a sum with it is lost, and no JSON
        raise ValueError(f"milliseconds of a call: got {ms}; expected a number from 0")
    if (stats := current.get()) is not None:
        stats.add(kind, float(ms), str(detail))


@contextmanager
def call(kind: str, dependency: str) -> Iterator[None]:
    """Count a block as one call, also if it fails: `with vitals.call("http", "payments"):`."""
    started = perf_counter()
    try:
        yield
    finally:
        add_call(kind, (perf_counter() - started) * 1000, dependency)


def add_field(name: str, value: str | float | None) -> None:
    """Put a field of your own on the line of the running request: at most 10, texts are cut.

    A field of the engine keeps its value. Nothing personal or secret belongs in a log.
    """
    if (stats := current.get()) is None:
        return
    stats.fields = stats.fields or {}
    if name in stats.fields or len(stats.fields) < MAX_FIELDS:
        is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        is_json = is_number or value is None  # which has no NaN and no infinity
        stats.fields[name] = value if is_json else str(value)[:MAX_TEXT]


def subject(name: str) -> None:
    """Record who the caller is; the last answer counts."""
    if (stats := current.get()) is not None:
        stats.subject = name


def cache(result: CacheResult, reason: str = "") -> None:
    """Record how the cache answered and, for a bypass, why; the last answer counts."""
    if (stats := current.get()) is not None:
        stats.cache, stats.cache_reason = result, reason


def request_id() -> str:
    """The running request's id, or an empty text outside a request."""
    return stats.request_id if (stats := current.get()) is not None else ""
