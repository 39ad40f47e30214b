"""Comparison: `make compare BASE=v1.2.0` measures BASE and this tree side by side.

Both run all the time and take turns in short blocks (A B B A), so that other load on this machine
affects both. Each has a database and a cache of its own, with the same contents.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from vitals.ops import services
from vitals.ops.deploy import staging
from vitals.ops.measure import chart, difference, load, result, service, vitals
from vitals.ops.measure.difference import Row
from vitals.ops.measure.load import Route
from vitals.ops.measure.service import Service
from vitals.ops.measure.vitals import VITALS, RequestCost
from vitals.ops.release import notes, releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

FEWEST_ROUNDS = 10  # also where they need longer than SECONDS
BLOCK_MS = 50
MOST_IN_BLOCK = 5
RUNS = ("app", "config", "migrations", "requirements.txt", "vitals")

Pair = tuple[list[RequestCost], list[RequestCost]]  # of BASE and of this tree, in one round


class Cell(NamedTuple):
    """A route in one state of the cache; `times` requests are a block."""

    route: Route
    state: str
    times: int


def compare() -> None:
    given = os.environ.get("BASE", "")
    base, seconds = _base(given), _seconds()
    plan = load.read(shell.ROOT)
    if not plan.routes:
        steps.say(load.NOTHING)
        return
    warnings = confounders(base.build.commit)
    with ExitStack() as stack:
        pair = [
            stack.enter_context(service.deployed(release, plan))()
            for release in (base, service.working_tree())
        ]
        measured = _take_turns(pair, list(_cells(pair, plan.routes)), seconds)
    rows, rounds = _rows(measured), min(map(len, measured.values()))
    _print(rows, warnings)
    table = [{**row._asdict(), "verdict": row.verdict} for row in rows]
    found = {"command": f"make compare BASE={given}", "rounds": rounds, "warnings": warnings}
    name = f"{re.sub('[^A-Za-z0-9.]+', '-', given)}-to-{result.commit()}"
    picture = result.store(name, {**found, "rows": table}).with_suffix(".svg")
    picture.write_text(chart.picture(f"{given} → this tree", rows), encoding="utf-8")
    steps.say(f"stored in {picture.relative_to(shell.ROOT)}")


def changed(files: Iterable[str]) -> list[str]:
    """Name the features and folders whose files these are; what does not run is left out."""
    found = set()
    for file in files:
        first, *rest = file.split("/")
        if first in RUNS and file != "config/slo.toml" and not file.startswith("vitals/ops/"):
            found.add(f"app/{rest[0]}" if first == "app" and len(rest) > 1 else first)
    return sorted(found)


def confounders(base: str) -> list[str]:
    """Warn of what changed too: with two changes at once, a difference belongs to neither."""
    found = changed(notes.difference(base, str(git.tree_hash())))
    doubts = [f"more than one thing changed: {', '.join(found)}"] if len(found) > 1 else []
    given = [each.given_by for each in services.known() if each.given_by in os.environ]
    if given:
        doubts.append(f"both use the server at {', '.join(given)}: its changes are not seen")
    return doubts


def _base(given: str) -> Release:
    git.need_repository()
    commit = f"{given}^{{commit}}"
    if not git.succeeds("rev-parse", "--verify", "--quiet", "--end-of-options", commit):
        fix = f"`make compare BASE={releases.last_version() or 'HEAD'}`"
        raise Refused(f"BASE={given}" if given else "no BASE", "a tag or commit", fix)
    return releases.unpacked(Build("base", git.git("rev-parse", commit)), staging.ENVIRONMENT)


def _seconds() -> float:
    given = os.environ.get("SECONDS") or "30"
    if not re.fullmatch(r"\d{1,4}(\.\d+)?", given):
        raise Refused(f"SECONDS={given}", "how long to measure", "`make compare SECONDS=30`")
    return float(given)


def _cells(pair: Sequence[Service], routes: Sequence[Route]) -> Iterator[Cell]:
    """Yield what is compared: routes that both answer, cold and warm where they use the cache."""
    for route in routes:
        names = [each.measure(route.request) for each in pair]
        before, after = (each.costs()[name] for each, name in zip(pair, names, strict=True))
        if max(before.status, after.status) >= 400:
            answers = f"{before.status} and {after.status}"
            steps.say(f"{route.name}: left out, as it was answered {answers}")
            continue
        slower_ms = max(before.duration_ms, after.duration_ms, 1)
        times = max(1, min(MOST_IN_BLOCK, int(BLOCK_MS / slower_ms)))
        uses_cache = vitals.uses_cache(before) or vitals.uses_cache(after)
        for state in ("cold", "warm") if uses_cache else ("",):
            yield Cell(route, state, times)


def _take_turns(
    pair: Sequence[Service], cells: Sequence[Cell], seconds: float
) -> dict[Cell, list[Pair]]:
    """Send blocks until the time is over, in whole rounds and not too few."""
    if not cells:
        raise Refused("no route is answered by both", "one", "correct config/slo.toml")
    sent: dict[Cell, list[tuple[list[str], list[str]]]] = {cell: [] for cell in cells}
    started, rounds = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds or rounds < FEWEST_ROUNDS:
        if rounds % 20 == 0:
            steps.say(f"  {passed:3.0f} of {seconds:g} s, {rounds} rounds")
        for cell in cells:
            sent[cell].append(_alternate(pair, cell, first=rounds % 2))
        rounds += 1
    before, after = (each.costs() for each in pair)
    return {
        cell: [([before[n] for n in one], [after[n] for n in two]) for one, two in names]
        for cell, names in sent.items()
    }


def _alternate(pair: Sequence[Service], cell: Cell, first: int) -> tuple[list[str], list[str]]:
    """Send four blocks, A B B A: a slow drift affects both alike."""
    names: tuple[list[str], list[str]] = ([], [])
    for turn in (first, 1 - first, 1 - first, first):
        pair[turn].send(cell.route.request)  # the first one after a break does not count
        for _ in range(cell.times):
            if cell.state == "cold":
                pair[turn].clear_cache(cell.route.features)
            names[turn].append(pair[turn].measure(cell.route.request))
    return names


def _rows(measured: dict[Cell, list[Pair]]) -> list[Row]:
    chosen = [
        (vital, cell, pairs)
        for cell, pairs in measured.items()
        for vital in VITALS
        if any(vital.applies(cost) for pair in pairs for costs in pair for cost in costs)
    ]
    rows = []
    for vital, cell, pairs in chosen:
        rounds = [([*map(vital.of_one, a)], [*map(vital.of_one, b)]) for a, b in pairs]
        rounds = difference.rescaled(rounds) if vital.of_many is vitals.median else rounds
        cache = f", {cell.state} cache" if cell.state else ""
        metric = f"{vital.name} of {cell.route.name}{cache}"
        rows.append(difference.between(metric, vital, rounds, len(chosen)))
    return rows


def _print(rows: Sequence[Row], warnings: Sequence[str]) -> None:
    width = max(len(row.metric) for row in rows)
    steps.say("")
    for row in rows:
        figures = f"{row.before:9.3f} → {row.after:9.3f} {row.unit:2}"
        steps.say(f"{row.metric:<{width}} {figures}  {row.verdict}")
    steps.say(f"\n{difference.summary(rows)}")
    steps.say("".join(f"warning: {warning}\n" for warning in warnings), end="")


if __name__ == "__main__":
    steps.exit_with(compare)
