"""The rule of the watched switch, by simulated versions: the same function judges them."""

import math
import random
import re
from collections.abc import Callable

import pytest

from tests.ops.simulated import MIB, Behaviour, Change, Moment, Rollout, Routed, unchanged
from vitals.observability.metric_types import DURATION_BUCKETS
from vitals.ops.deploy import watch_rule
from vitals.ops.deploy.samples import Sample
from vitals.ops.deploy.watch_looks import Look, Seen

MOST_TAKEN_BACK = {500: 2, 2_000: 5}  # of so many good versions
ROUTES = 5


def any_route(chance: random.Random) -> Routed:
    """A route as services have them: quiet or busy, sound or not, with or without an objective."""
    behaviour = Behaviour(
        rate=10 ** chance.uniform(-1.3, 1.2),
        median_ms=10 ** chance.uniform(0.3, 2.3),
        spread=chance.uniform(0.3, 1.2),
        errors=chance.choice([0, 0, 0, 0.0005, 0.002, 0.01, 0.05]),
        calls=chance.choice([(0,), (1,), (1, 2), (0, 0, 0, 0, 3), (5, 6, 7)]),
    )
    objective = next((b * 1000 for b in DURATION_BUCKETS if b * 1000 >= behaviour.p95_ms), 10_000)
    return Routed(behaviour, chance.choice([{}, {"p95_ms": objective, "availability": 99.9}]))


def good(seed: int) -> tuple[float, str]:
    """Watch a version that behaves like the one before it, as circumstances vary."""
    chance = random.Random(seed)
    routes = {f"/route-{n}": any_route(chance) for n in range(ROUTES)}
    minutes = 10 ** chance.uniform(0, 1.7)
    rollout = Rollout(seed, routes, minutes, chance.choice([1, 1, 3]))
    circumstances = ("quiet", "traffic x 3", "traffic / 10", "cold cache", "outage")[seed % 5]

    def change(moment: Moment, each: Behaviour) -> Behaviour:
        if circumstances == "traffic x 3":
            return each._replace(rate=each.rate * 3)
        if circumstances == "traffic / 10":
            return each._replace(rate=each.rate / 10)
        if circumstances == "cold cache" and moment.at <= watch_rule.COLD_SECONDS:
            return each._replace(median_ms=each.median_ms * 3)
        if circumstances == "outage" and 100 < moment.at <= 120:
            return each._replace(errors=0.9)
        return each

    def look(look: Look) -> Look:
        return look._replace(judged=circumstances != "outage" or not 100 < look.at <= 120)

    return rollout.watch(change, look)


def taken_back(seeds: range) -> dict[int, str]:
    found = ((seed, good(seed)) for seed in seeds)
    return {seed: f"after {at:.0f} s: {worse}" for seed, (at, worse) in found if worse}


def test_good_versions_stay() -> None:
    assert taken_back(range(10)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("versions", [500, pytest.param(2_000, marks=pytest.mark.long)])
def test_at_most_a_quarter_percent_of_good_versions_are_taken_back(versions: int) -> None:
    found = taken_back(range(versions))

    print(f"{len(found)} of {versions} good versions taken back: {found}")
    assert len(found) <= MOST_TAKEN_BACK[versions]


def errors(moment: Moment, each: Behaviour) -> Behaviour:
    return each._replace(errors=0.2) if moment.route == "/orders" else each


def slower(_: Moment, each: Behaviour) -> Behaviour:
    return each._replace(median_ms=each.median_ms * 3)


def more_calls(moment: Moment, each: Behaviour) -> Behaviour:
    return each._replace(calls=(20,)) if moment.route == "/orders" else each


def one_slow_replica(moment: Moment, each: Behaviour) -> Behaviour:
    return each._replace(median_ms=each.median_ms * 3) if moment.replica == "pod-1" else each


def growing(look: Look) -> Look:
    """10 MiB more each second."""
    return _each(look, lambda sample: sample._replace(memory_bytes=(90 + 10 * look.at) * MIB))


def crashing(look: Look) -> Look:
    return _each(look, lambda sample: sample._replace(started=look.at)) if look.at > 60 else look


def _each(look: Look, change: Callable[[Sample], Sample]) -> Look:
    replicas = {n: Seen(r.ready, change(r.sample)) for n, r in look.replicas.items() if r.sample}
    return look._replace(replicas=replicas)


PLANTED: dict[str, tuple[Change, Callable[[Look], Look], float, str]] = {
    "errors on one route": (errors, lambda look: look, 0, "/orders: .* failed; before, "),
    "p95 x 3": (slower, lambda look: look, 15, "took more than 250 ms; before, "),
    "20 database calls": (more_calls, lambda look: look, 0, "/orders: .* 1 database calls"),
    "memory growth": (unchanged, growing, 15, "uses \\d+ MiB of memory; before, it was 90"),
    "crash after a minute": (unchanged, crashing, 60, "pod-. has restarted"),
    "one slow replica": (one_slow_replica, lambda look: look, 15, "took more than 250 ms"),
}


@pytest.mark.parametrize("rate", [2, 20])
@pytest.mark.parametrize("name", PLANTED)
def test_a_bad_version_is_taken_back_within_60_s_of_enough_requests(name: str, rate: float) -> None:
    change, look, starts, sentence = PLANTED[name]
    row = {"p95_ms": 250.0, "availability": 99.9}
    orders = Routed(Behaviour(rate, 75, errors=0.0005), row)
    routes = {"/orders": orders, "/items": Routed(Behaviour(rate, 75), row)}
    rollout = Rollout(7, routes, 15, 3)

    at, worse = rollout.watch(change, look)

    print(f"{name} at {rate}/s: {at:.0f} s after the switch: {worse}")
    enough = starts + watch_rule.MIN_REQUESTS / rate
    assert worse
    assert re.search(sentence, worse)
    assert at <= enough + 60


def test_the_chance_is_exact() -> None:
    exact = sum(math.comb(50, k) * 0.02**k * 0.98 ** (50 - k) for k in range(5, 51))

    assert watch_rule.tail(5, 50, 0.02) == pytest.approx(exact, rel=1e-9)
    assert watch_rule.tail(20, 20, 0.001) == pytest.approx(1e-60, rel=1e-9)


def test_the_chance_of_so_few_failures_before_is_exact() -> None:
    exact = sum(math.comb(30, k) * math.comb(50, 7 - k) for k in range(6, 8)) / math.comb(80, 7)

    assert watch_rule.luck(6, 30, 1, 50) == pytest.approx(exact, rel=1e-9)
