"""The vitals that a measurement shows: one row each, made from the cost of single requests."""

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from vitals.ops.run.steps import Refused

LOGGED = ("duration_ms", "status", "cache", "db_calls", "db_ms")
PART = re.compile(r'(\w+)(?:;dur=([\d.]+))?(?:;desc="([^"]*)")?')


class Cost(NamedTuple):
    """What one request cost, as the service itself reports it."""

    ms: float
    status: int
    cache: str
    db_calls: int
    db_ms: float

    @classmethod
    def logged(cls, line: Mapping[str, Any]) -> Self:
        """Read the access log's line of a request: exact to a microsecond."""
        return cls(*(line[name] for name in LOGGED))

    @classmethod
    def timed(cls, status: int, server_timing: str | None) -> Self:
        """Read a Server-Timing header: exact to 0.1 ms. Raises `Refused` without one."""
        if server_timing is None:
            raise Refused("an answer without Server-Timing", "one", "APP_SERVER_TIMING=true there")
        parts = {name: (float(ms or 0), text) for name, ms, text in PART.findall(server_timing)}
        db_ms, calls = parts.get("db", (0.0, "0"))
        cache = parts.get("cache", (0.0, "none"))[1]
        return cls(parts["app"][0], status, cache, int(calls.split()[0]), db_ms)


class Vital(NamedTuple):
    name: str
    unit: str
    of_one: Callable[[Cost], float]
    of_many: Callable[[Sequence[float]], float]
    shown: Callable[[Cost], object] = lambda _: True  # a row needs one request that has it
    more_is_better: bool = False


def quantile(share: float) -> Callable[[Sequence[float]], float]:
    """Return what finds the value that `share` of all values do not exceed."""

    def found(values: Sequence[float]) -> float:
        return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]

    return found


def asks_cache(cost: Cost) -> bool:
    return cost.cache != "none"


median, mean = statistics.median, statistics.fmean
VITALS = [
    Vital("p50", "ms", lambda cost: cost.ms, median),
    Vital("p95", "ms", lambda cost: cost.ms, quantile(0.95)),
    Vital("p99", "ms", lambda cost: cost.ms, quantile(0.99)),
    Vital("errors", "%", lambda cost: 100.0 * (cost.status >= 500), mean),
    Vital("cache hits", "%", lambda cost: 100.0 * (cost.cache == "hit"), mean, asks_cache, True),
    Vital("database calls", "", lambda cost: cost.db_calls, mean, lambda cost: cost.db_calls),
    Vital("database time", "ms", lambda cost: cost.db_ms, median, lambda cost: cost.db_calls),
]
