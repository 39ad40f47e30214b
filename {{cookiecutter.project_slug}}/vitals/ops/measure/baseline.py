"""What does each route cost now? `make baseline`, at the rates of config/slo.toml.

URL=… measures a service that runs elsewhere: reads only, gently, and its cache as it is.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from vitals.ops.measure import load, result, sides, vitals
from vitals.ops.measure.load import Connection, Load, Route
from vitals.ops.measure.sides import Side
from vitals.ops.measure.vitals import VITALS, Cost
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

SECONDS = 10  # for each state of the cache
MOST_ELSEWHERE = 10.0  # requests a second for each route
ENOUGH = 0.9  # of the rate
HEAD = ("", "requests", *(vital.name for vital in VITALS[:4]), "db calls", "db ms", "cache")


def baseline() -> None:
    """Measure, print a table and keep the result."""
    plan, url = load.read(shell.ROOT), os.environ.get("URL", "")
    with _elsewhere(url, plan) if url else _here(plan) as (connect, routes):
        states = ("cold", "warm") if connect().caches else ("",)
        found = {
            (route.name, state): costs
            for state in states
            for route, costs in _at_once(connect, routes, state)
        }
    measured = vitals.by_state(found, lambda cost: [cost])
    _print(measured)
    rows = [row for of, costs in measured.items() for row in _rows(of, costs)]
    command = f"make baseline URL={url}" if url else "make baseline"
    cache = {of: vitals.shares(costs) for of, costs in measured.items()}
    name = "elsewhere" if url else result.commit()
    path = result.write(name, {"command": command, "rows": rows, "cache": cache})
    steps.say(f"\nkept in {path.relative_to(shell.ROOT)}")


@contextmanager
def _here(plan: Load) -> Iterator[tuple[Callable[[], Side], Sequence[Route]]]:
    steps.say("starting this tree as in staging")
    with sides.started(sides.working_tree(), plan.seeds) as ground:
        steps.say("\n".join(f"  {line}" for line in ground.described))
        yield ground.connect, plan.routes


@contextmanager
def _elsewhere(url: str, plan: Load) -> Iterator[tuple[Callable[[], Side], Sequence[Route]]]:
    reads = [route for route in plan.routes if route.request.method == "GET"]
    gentle = [route._replace(rate=min(route.rate, MOST_ELSEWHERE)) for route in reads]
    yield lambda: sides.Elsewhere(Connection(url.rstrip("/"), {})), gentle


def _at_once(
    connect: Callable[[], Side], routes: Sequence[Route], state: str
) -> list[tuple[Route, list[Cost]]]:
    """Drive all routes at the same time, each at its rate over a connection of its own."""
    steps.say(f"measuring {SECONDS} s{state and f', {state} cache'}")
    with ThreadPoolExecutor(len(routes)) as pool:
        driven = [pool.submit(_drive, connect(), route, state == "cold") for route in routes]
        try:
            costs = [each.result() for each in driven]
        except KeyboardInterrupt:
            steps.interrupted.set()
            raise
    return list(zip(routes, costs, strict=True))


def _drive(side: Side, route: Route, cold: bool) -> list[Cost]:
    if (status := side.ask(route.request)) >= 400:
        raise Refused(f"{route.name} was answered {status}", "success", "correct config/slo.toml")
    sent, due = list[str](), time.monotonic()
    end = due + SECONDS
    while (now := time.monotonic()) < end and not steps.interrupted.is_set():
        if now < due:
            time.sleep(min(due, end) - now)
            continue
        due += 1 / route.rate
        if cold:
            side.forget(route.features)
        sent.append(side.measured(route.request))
    side.close()
    if len(sent) < ENOUGH * route.rate * SECONDS and not steps.interrupted.is_set():
        asked = f"{len(sent) / SECONDS:.1f} of {route.rate:g} requests/s"
        steps.say(f"  {route.name}: {asked}; one connection gives no more")
    costs = side.costs()
    return [costs[name] for name in sent]


def _rows(of: str, costs: Sequence[Cost]) -> Iterator[dict[str, object]]:
    for vital in VITALS:
        if any(vital.shown(cost) for cost in costs):
            value = vital.of_many([vital.of_one(cost) for cost in costs])
            name = vitals.metric(vital, of)
            yield {"metric": name, "unit": vital.unit, "value": round(value, 3)}


def _print(measured: dict[str, list[Cost]]) -> None:
    width = max(map(len, measured))
    steps.say(f"\n{HEAD[0]:<{width}} " + " ".join(f"{name:>9}" for name in HEAD[1:]))
    for of, costs in measured.items():
        shown = [vital for vital in VITALS if not vital.more_is_better]
        values = [vital.of_many([vital.of_one(cost) for cost in costs]) for vital in shown]
        cache = ", ".join(f"{name} {share:g} %" for name, share in vitals.shares(costs).items())
        told = " ".join(f"{value:9.2f}" for value in values)
        steps.say(f"{of:<{width}} {len(costs):9} {told}  {cache}")
