"""Which vitals does a row show? One line for each, made from what single requests cost."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self, TypeVar

from vitals.ops.run.steps import Refused

T = TypeVar("T")
LOGGED = ("duration_ms", "status", "cache", "db_calls", "db_ms")
PART = re.compile(r'(\w+)(?:;dur=([\d.]+))?(?:;desc="([^"]*)")?')


class Cost(NamedTuple):
    """What one request cost, as the service itself says it."""

    ms: float
    status: int
    cache: str
    db_calls: int
    db_ms: float

    @classmethod
    def logged(cls, line: Mapping[str, Any]) -> Self:
        """The cost in the service's line of a request: exact to a microsecond."""
        return cls(*(line[name] for name in LOGGED))

    @classmethod
    def timed(cls, status: int, server_timing: str | None) -> Self:
        """The cost in a Server-Timing header: exact to 0.1 ms. Raises `Refused` without one."""
        if server_timing is None:
            raise Refused("an answer without Server-Timing", "one", "APP_SERVER_TIMING=true there")
        told = {name: (float(ms or 0), said) for name, ms, said in PART.findall(server_timing)}
        db_ms, calls = told.get("db", (0.0, "0"))
        cache = told.get("cache", (0.0, "none"))[1]
        return cls(told["app"][0], status, cache, int(calls.split()[0]), db_ms)


class Vital(NamedTuple):
    name: str
    unit: str
    of_one: Callable[[Cost], float]
    of_many: Callable[[Sequence[float]], float]
    more_is_better: bool = False
    shown: Callable[[Cost], bool] = lambda _: True  # a row needs one request that has it


def quantile(share: float) -> Callable[[Sequence[float]], float]:
    """The value that `share` of all values do not exceed."""

    def found(values: Sequence[float]) -> float:
        return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]

    return found


middle = quantile(0.5)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


VITALS = [
    Vital("p50", "ms", lambda cost: cost.ms, middle),
    Vital("p95", "ms", lambda cost: cost.ms, quantile(0.95)),
    Vital("p99", "ms", lambda cost: cost.ms, quantile(0.99)),
    Vital("errors", "%", lambda cost: 100.0 * (cost.status >= 500), mean),
    Vital(
        "cache hits",
        "%",
        lambda cost: 100.0 * (cost.cache == "hit"),
        mean,
        True,
        lambda cost: cost.cache != "none",
    ),
    Vital(
        "database calls",
        "",
        lambda cost: float(cost.db_calls),
        mean,
        shown=lambda cost: cost.db_calls > 0,
    ),
    Vital(
        "database time",
        "ms",
        lambda cost: cost.db_ms,
        middle,
        shown=lambda cost: cost.db_calls > 0,
    ),
]


def shares(costs: Sequence[Cost]) -> dict[str, float]:
    """How the cache answered, in percent, the most frequent first."""
    counted = Counter(cost.cache for cost in costs).most_common()
    return {cache: round(100 * times / len(costs), 1) for cache, times in counted}


def metric(vital: Vital, of: str) -> str:
    """The name of a row, as a change record cites it."""
    return f"{vital.name} of {of}"


def by_state(
    measured: Mapping[tuple[str, str], list[T]], costs: Callable[[T], Iterable[Cost]]
) -> dict[str, list[T]]:
    """Name what was measured by route and state of the cache.

    A route that never asked the cache has one name for both states.
    """
    named: dict[str, list[T]] = {}
    for route in dict.fromkeys(route for route, _ in measured):
        states = {state: found for (name, state), found in measured.items() if name == route}
        asked = any(
            cost.cache != "none" for f in states.values() for each in f for cost in costs(each)
        )
        for state, found in states.items():
            name = f"{route}, {state} cache" if asked and state else route
            named[name] = named.get(name, []) + found
    return named
