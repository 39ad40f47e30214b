"""Simulated versions before and after a switch: what their /metrics would say, from one seed."""

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from vitals.observability.metric_types import CALL_BUCKETS, DURATION_BUCKETS
from vitals.ops.deploy.samples import Routes, Sample, merged
from vitals.ops.deploy.watch_looks import Look, Seen, Watched
from vitals.ops.deploy.watch_rule import LOOK_SECONDS

WATCHED_SECONDS = 600
MIB = 1 << 20


class Behaviour(NamedTuple):
    """How a route behaves: log-normal times, and its calls, each as likely as the others."""

    rate: float  # requests per second
    median_ms: float
    spread: float = 0.7
    errors: float = 0
    calls: tuple[int, ...] = (1,)

    @property
    def p95_ms(self) -> float:
        return self.median_ms * math.exp(1.645 * self.spread)


class Routed(NamedTuple):
    behaviour: Behaviour
    row: dict[str, float]  # of slo.toml, or empty


class Moment(NamedTuple):
    at: float  # seconds since the switch
    replica: str
    route: str


Change = Callable[[Moment, Behaviour], Behaviour]


def unchanged(_: Moment, behaviour: Behaviour) -> Behaviour:
    return behaviour


class Process:
    """One process that counts its requests."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.sample = Sample({}, 90 * MIB, 1_000 + chance.random())

    def serve(self, routes: dict[str, Behaviour], seconds: float) -> None:
        """Count as many requests as come in that time; the sample is a new one."""
        counted = Routes(self.sample.routes)
        for name, each in routes.items():
            if requests := poisson(self.chance, each.rate * seconds):
                counted[name] = Counter(counted.get(name, ()))
                counted[name].update(self._counts(each, requests))
        self.sample = self.sample._replace(routes=counted)

    def _counts(self, each: Behaviour, requests: int) -> Counter[str]:
        chance = self.chance
        weights = [share_within(each, bound) for bound in DURATION_BUCKETS] + [1.0]
        slots = Counter(chance.choices(range(len(weights)), cum_weights=weights, k=requests))
        counts = Counter(requests=requests, errors=binomial(chance, requests, each.errors))
        counts.update(totals("seconds", DURATION_BUCKETS, slots))
        calls = Counter(chance.choices(each.calls, k=requests))
        slots = Counter()
        for made, times in calls.items():
            slots[sum(bound < made for bound in CALL_BUCKETS)] += times
        counts.update(totals("calls", CALL_BUCKETS, slots))
        return counts


def totals(kind: str, bounds: tuple[float, ...], slots: Counter[int]) -> dict[str, int]:
    """A histogram's totals up to each bound, from the values in each bucket."""
    total, found = 0, dict[str, int]()
    for number, bound in enumerate((*bounds, math.inf)):
        total += slots[number]
        found[f"{kind} {bound:g}"] = total
    return found


def share_within(each: Behaviour, seconds: float) -> float:
    away = math.log(seconds * 1000 / each.median_ms) / each.spread
    return 0.5 * (1 + math.erf(away / math.sqrt(2)))


def poisson(chance: random.Random, mean: float) -> int:
    if mean > 60:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product, limit = 0, chance.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count


def binomial(chance: random.Random, trials: int, share: float) -> int:
    return sum(chance.random() < share for _ in range(trials)) if share else 0


class Rollout:
    """A version before the switch, and the looks at the one after it."""

    def __init__(self, seed: int, routes: dict[str, Routed], minutes: float, replicas: int) -> None:
        self.chance = random.Random(seed)
        self.routes = {name: each.behaviour for name, each in routes.items()}
        self.rows = {name: each.row for name, each in routes.items() if each.row}
        self.replicas = {f"pod-{n}": Process(self.chance) for n in range(replicas)}
        old = [Process(self.chance) for _ in range(replicas)]
        for process in old:
            process.serve(self._shared(self.routes), minutes * 60)
        self.old = merged(process.sample for process in old)

    def _shared(self, routes: dict[str, Behaviour]) -> dict[str, Behaviour]:
        return {n: each._replace(rate=each.rate / len(self.replicas)) for n, each in routes.items()}

    def watch(
        self,
        change: Change = unchanged,
        look: Callable[[Look], Look] = lambda look: look,
        until: float = WATCHED_SECONDS,
    ) -> tuple[float, str]:
        """Look every 5 s; return when something was worse and what, or the end and nothing.

        `change` makes the behaviour of a route at a moment.
        """
        watched = Watched(self.old, self.rows, {})
        for at in range(0, int(until) + 1, LOOK_SECONDS):
            for replica, process in self.replicas.items():
                routes = self._shared(self.routes).items()
                changed = {name: change(Moment(at, replica, name), each) for name, each in routes}
                process.serve(changed, LOOK_SECONDS * bool(at))
            seen = {name: Seen(True, each.sample) for name, each in self.replicas.items()}
            if found := watched.add(look(Look(at, True, seen))):
                return at, found
        return until, ""
