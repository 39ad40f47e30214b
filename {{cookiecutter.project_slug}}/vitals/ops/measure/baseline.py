"""Baseline: `make baseline` measures what each route costs now, at the rates of config/slo.toml."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from vitals.ops.measure import load, result, service, vitals
from vitals.ops.measure.load import Route
from vitals.ops.measure.service import Service
from vitals.ops.measure.vitals import VITALS, RequestCost
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

STATE_SECONDS = 10  # for each state of the cache
ENOUGH = 0.9  # of the rate


def baseline() -> None:
    plan = load.read(shell.ROOT)
    if not plan.routes:
        steps.say(load.NOTHING)
        return
    with service.deployed(service.working_tree(), plan) as connect:
        measured = _measured(connect, plan.routes)
    shares = {name: _shares(costs) for name, costs in measured.items()}
    _print(measured, shares)
    rows = [row for name, costs in measured.items() for row in _rows(name, costs)]
    result.store(result.commit(), {"command": "make baseline", "rows": rows, "cache": shares})


def _measured(
    connect: Callable[[], Service], routes: Sequence[Route]
) -> dict[str, list[RequestCost]]:
    """Drive all routes at the same time, each at its rate over a connection of its own."""
    measured: dict[str, list[RequestCost]] = {}
    for state in ("cold", "warm") if connect().caches else ("",):
        steps.say(f"measuring {STATE_SECONDS} s{state and f', {state} cache'}")
        with ThreadPoolExecutor(len(routes)) as pool:
            driven = [pool.submit(_drive, connect(), route, state == "cold") for route in routes]
            try:
                found = [each.result() for each in driven]
            except KeyboardInterrupt:
                steps.interrupted.set()
                raise
        for route, costs in zip(routes, found, strict=True):
            uses_cache = state and any(map(vitals.uses_cache, costs))
            name = f"{route.name}, {state} cache" if uses_cache else route.name
            measured[name] = measured.get(name, []) + costs
    return measured


def _drive(driven: Service, route: Route, cold: bool) -> list[RequestCost]:
    if (status := driven.send(route.request)) >= 400:
        raise Refused(f"{route.name} was answered {status}", "success", "correct config/slo.toml")
    sent, due = list[str](), time.monotonic()
    end = due + STATE_SECONDS
    while (now := time.monotonic()) < end and not steps.interrupted.is_set():
        if now < due:
            time.sleep(min(due, end) - now)
            continue
        due += 1 / route.rate
        if cold:
            driven.clear_cache(route.features)
        sent.append(driven.measure(route.request))
    if len(sent) < ENOUGH * route.rate * STATE_SECONDS and not steps.interrupted.is_set():
        rate = f"{len(sent) / STATE_SECONDS:.1f} of {route.rate:g} requests/s"
        steps.say(f"  {route.name}: {rate}; one connection gives no more")
    costs = driven.costs()
    return [costs[name] for name in sent]


def _rows(of: str, costs: Sequence[RequestCost]) -> Iterator[dict[str, object]]:
    for vital in VITALS:
        if any(map(vital.applies, costs)):
            value = round(vital.of(costs), 3)
            yield {"metric": f"{vital.name} of {of}", "unit": vital.unit, "value": value}


def _shares(costs: Sequence[RequestCost]) -> dict[str, float]:
    """Return how the cache answered, in percent, the most frequent first."""
    counted = Counter(cost.cache for cost in costs).most_common()
    return {cache: round(100 * times / len(costs), 1) for cache, times in counted}


def _print(measured: dict[str, list[RequestCost]], shares: dict[str, dict[str, float]]) -> None:
    width = max(map(len, measured))
    columns = {f"{vital.name:>8}": vital for vital in VITALS if not vital.more_is_better}
    steps.say(f"\n{'':<{width}} requests {' '.join(columns)}  cache")
    for name, costs in measured.items():
        figures = " ".join(f"{vital.of(costs):{len(head)}.2f}" for head, vital in columns.items())
        cache = ", ".join(f"{answer} {share:g} %" for answer, share in shares[name].items())
        steps.say(f"{name:<{width}} {len(costs):8} {figures}  {cache}")


if __name__ == "__main__":
    steps.exit_with(baseline)
