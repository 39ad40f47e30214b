"""Baseline: `make baseline` measures what each route costs now, at the rates of config/slo.toml.

URL=… measures a service that runs elsewhere: reads only, gently, and its cache as it is.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from vitals.ops.measure import load, result, service, vitals
from vitals.ops.measure.load import Connection, Route
from vitals.ops.measure.service import Service
from vitals.ops.measure.vitals import VITALS, Cost
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

SECONDS = 10  # for each state of the cache
MOST_REMOTE_RATE = 10.0  # requests a second for each route
ENOUGH = 0.9  # of the rate
HEAD = ("", "requests", *(vital.name for vital in VITALS[:4]), "db calls", "db ms", "cache")


def baseline() -> None:
    """Measure, print a table and keep the result."""
    plan, url = load.read(shell.ROOT), os.environ.get("URL", "").rstrip("/")
    routes = plan.routes
    started: AbstractContextManager[Callable[[], Service]]
    if url:
        reads = [route for route in routes if route.request.method == "GET"]
        routes = [route._replace(rate=min(route.rate, MOST_REMOTE_RATE)) for route in reads]
        started = nullcontext(lambda: Service(Connection(url, {})))
    else:
        started = service.deployed(service.working_tree(), plan)
    if not routes:
        steps.say(load.NOTHING)
        return
    with started as connect:
        measured = _measured(connect, routes)
    shares = {name: _shares(costs) for name, costs in measured.items()}
    _print(measured, shares)
    rows = [row for name, costs in measured.items() for row in _rows(name, costs)]
    command = f"make baseline URL={url}" if url else "make baseline"
    name = "elsewhere" if url else result.commit()
    result.keep(name, {"command": command, "rows": rows, "cache": shares})


def _measured(connect: Callable[[], Service], routes: Sequence[Route]) -> dict[str, list[Cost]]:
    """Drive all routes at the same time, each at its rate over a connection of its own."""
    measured: dict[str, list[Cost]] = {}
    for state in ("cold", "warm") if connect().caches else ("",):
        steps.say(f"measuring {SECONDS} s{state and f', {state} cache'}")
        with ThreadPoolExecutor(len(routes)) as pool:
            driven = [pool.submit(_drive, connect(), route, state == "cold") for route in routes]
            try:
                found = [each.result() for each in driven]
            except KeyboardInterrupt:
                steps.interrupted.set()
                raise
        for route, costs in zip(routes, found, strict=True):
            asked = any(map(vitals.asks_cache, costs))
            name = f"{route.name}, {state} cache" if asked and state else route.name
            measured[name] = measured.get(name, []) + costs
    return measured


def _drive(driven: Service, route: Route, cold: bool) -> list[Cost]:
    if (status := driven.send(route.request)) >= 400:
        raise Refused(f"{route.name} was answered {status}", "success", "correct config/slo.toml")
    sent, due = list[str](), time.monotonic()
    end = due + SECONDS
    while (now := time.monotonic()) < end and not steps.interrupted.is_set():
        if now < due:
            time.sleep(min(due, end) - now)
            continue
        due += 1 / route.rate
        if cold:
            driven.clear_cache(route.features)
        sent.append(driven.measure(route.request))
    driven.close()
    if len(sent) < ENOUGH * route.rate * SECONDS and not steps.interrupted.is_set():
        rate = f"{len(sent) / SECONDS:.1f} of {route.rate:g} requests/s"
        steps.say(f"  {route.name}: {rate}; one connection gives no more")
    costs = driven.costs()
    return [costs[name] for name in sent]


def _rows(of: str, costs: Sequence[Cost]) -> Iterator[dict[str, object]]:
    for vital in VITALS:
        if any(vital.shown(cost) for cost in costs):
            value = round(vital.of_many([vital.of_one(cost) for cost in costs]), 3)
            yield {"metric": f"{vital.name} of {of}", "unit": vital.unit, "value": value}


def _shares(costs: Sequence[Cost]) -> dict[str, float]:
    """Return how the cache answered, in percent, the most frequent first."""
    counted = Counter(cost.cache for cost in costs).most_common()
    return {cache: round(100 * times / len(costs), 1) for cache, times in counted}


def _print(measured: dict[str, list[Cost]], shares: dict[str, dict[str, float]]) -> None:
    width = max(map(len, measured))
    steps.say(f"\n{HEAD[0]:<{width}} " + " ".join(f"{name:>9}" for name in HEAD[1:]))
    for name, costs in measured.items():
        shown = [vital for vital in VITALS if not vital.more_is_better]
        values = [vital.of_many([vital.of_one(cost) for cost in costs]) for vital in shown]
        figures = " ".join(f"{value:9.2f}" for value in values)
        cache = ", ".join(f"{answer} {share:g} %" for answer, share in shares[name].items())
        steps.say(f"{name:<{width}} {len(costs):9} {figures}  {cache}")
