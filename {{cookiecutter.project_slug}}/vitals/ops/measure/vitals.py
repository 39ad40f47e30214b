"""The vitals that a measurement shows: one row each, made from the cost of single requests."""

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple


class RequestCost(NamedTuple):
    """What one request cost: these fields of its line in the access log."""

    duration_ms: float
    status: int
    cache: str
    db_calls: int
    db_ms: float


class Vital(NamedTuple):
    name: str
    unit: str
    of_one: Callable[[RequestCost], float]
    of_many: Callable[[Sequence[float]], float]
    applies: Callable[[RequestCost], object] = lambda _: True  # a row needs one request that has it
    more_is_better: bool = False

    def of(self, costs: Sequence[RequestCost]) -> float:
        return self.of_many([self.of_one(cost) for cost in costs])


def quantile(percent: int, values: Sequence[float]) -> float:
    """Return the value that so many percent of all values do not exceed."""
    return sorted(values)[max(0, math.ceil(percent * len(values) / 100) - 1)]


def uses_cache(cost: RequestCost) -> bool:
    return cost.cache != "none"


median, mean = statistics.median, statistics.fmean
VITALS = [
    Vital("p50", "ms", lambda cost: cost.duration_ms, median),
    Vital("p95", "ms", lambda cost: cost.duration_ms, partial(quantile, 95)),
    Vital("p99", "ms", lambda cost: cost.duration_ms, partial(quantile, 99)),
    Vital("errors", "%", lambda cost: 100.0 * (cost.status >= 500), mean),
    Vital("cache hits", "%", lambda cost: 100.0 * (cost.cache == "hit"), mean, uses_cache, True),
    Vital("database calls", "", lambda cost: cost.db_calls, mean, lambda cost: cost.db_calls),
    Vital("database time", "ms", lambda cost: cost.db_ms, median, lambda cost: cost.db_calls),
]
