"""The vitals that a measurement shows: one row each, made from the cost of single requests."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self


class RequestCost(NamedTuple):
    """What one request cost, as the service itself reports it."""

    ms: float
    status: int
    cache: str
    db_calls: int
    db_ms: float

    @classmethod
    def logged(cls, line: Mapping[str, Any]) -> Self:
        """Read the access log's line of a request: exact to a microsecond."""
        names = ("duration_ms", "status", "cache", "db_calls", "db_ms")
        return cls(*(line[name] for name in names))


class Vital(NamedTuple):
    name: str
    unit: str
    of_one: Callable[[RequestCost], float]
    of_many: Callable[[Sequence[float]], float]
    applies: Callable[[RequestCost], object] = lambda _: True  # a row needs one request that has it
    more_is_better: bool = False

    def of(self, costs: Sequence[RequestCost]) -> float:
        return self.of_many([self.of_one(cost) for cost in costs])


def quantile(share: float) -> Callable[[Sequence[float]], float]:
    """Return what finds the value that `share` of all values do not exceed."""

    def found(values: Sequence[float]) -> float:
        return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]

    return found


def uses_cache(cost: RequestCost) -> bool:
    return cost.cache != "none"


median, mean = statistics.median, statistics.fmean
VITALS = [
    Vital("p50", "ms", lambda cost: cost.ms, median),
    Vital("p95", "ms", lambda cost: cost.ms, quantile(0.95)),
    Vital("p99", "ms", lambda cost: cost.ms, quantile(0.99)),
    Vital("errors", "%", lambda cost: 100.0 * (cost.status >= 500), mean),
    Vital("cache hits", "%", lambda cost: 100.0 * (cost.cache == "hit"), mean, uses_cache, True),
    Vital("database calls", "", lambda cost: cost.db_calls, mean, lambda cost: cost.db_calls),
    Vital("database time", "ms", lambda cost: cost.db_ms, median, lambda cost: cost.db_calls),
]
