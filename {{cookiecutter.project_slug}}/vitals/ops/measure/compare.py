"""Is it faster than before? `make compare BASE=v1.2.0` runs BASE and this tree side by side.

Both are there all the time and take turns in short blocks (A B B A), so that what else this
machine does disturbs both. Each has a database and a cache of its own, with the same contents.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from vitals.ops.deploy import staging
from vitals.ops.measure import chart, confounders, difference, load, result, sides, vitals
from vitals.ops.measure.load import Route
from vitals.ops.measure.result import Row
from vitals.ops.measure.sides import Side
from vitals.ops.measure.vitals import VITALS, Cost
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

SECONDS = 30.0
FEWEST_ROUNDS = 10
BLOCK_SECONDS = 0.05
MOST_IN_BLOCK = 5

Pair = tuple[list[Cost], list[Cost]]  # of BASE and of this tree, in one round


class Cell(NamedTuple):
    """A route in one state of the cache; `times` requests are a block."""

    route: Route
    state: str
    times: int


def compare() -> None:
    """Measure both, print what differs and keep the result as JSON and as a picture."""
    given = os.environ.get("BASE", "")
    base = _base(given)
    plan = load.read(shell.ROOT)
    warnings = confounders.warnings(base.build.commit)
    with ExitStack() as stack:
        pair = []
        for release in (base, sides.working_tree()):
            steps.say(f"starting {release.build.version}")
            pair.append(stack.enter_context(sides.started(release, plan.seeds)).connect())
        cells = list(_cells(pair, plan.routes))
        found = _take_turns(pair, cells, _seconds())
    rows = _rows(vitals.by_state(found, lambda pair: [*pair[0], *pair[1]]))
    _print(rows, warnings)
    rounds = min(map(len, found.values()))
    told = {"command": f"make compare BASE={given}", "rounds": rounds, "warnings": warnings}
    _keep(given, told, rows)


def _keep(given: str, told: Mapping[str, object], rows: Sequence[Row]) -> None:
    name = f"{re.sub('[^A-Za-z0-9.]+', '-', given)}-to-{result.commit()}"
    path = result.write(name, {**told, "rows": rows})
    picture = path.with_suffix(".svg")
    picture.write_text(chart.picture(f"{given} → this tree", rows), encoding="utf-8")
    for kept in (path, picture):
        steps.say(f"kept in {kept.relative_to(shell.ROOT)}")


def _base(given: str) -> Release:
    example = f"`make compare BASE={releases.last_version() or 'HEAD'}`"
    if not git.is_repository():
        raise git.no_repository()
    if not git.says_yes(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{given}^{{commit}}"
    ):
        raise Refused(f"BASE={given}" if given else "no BASE", "a tag or commit", example)
    commit = git.git("rev-parse", f"{given}^{{commit}}")
    return releases.unpacked(Build("base", commit), staging.ENVIRONMENT)


def _seconds() -> float:
    given = os.environ.get("SECONDS") or str(SECONDS)
    if not re.fullmatch(r"\d{1,4}(\.\d+)?", given):
        raise Refused(f"SECONDS={given}", "how long to measure", "`make compare SECONDS=30`")
    return float(given)


def _cells(pair: Sequence[Side], routes: Sequence[Route]) -> Iterator[Cell]:
    """What is compared: routes that both sides answer."""
    states = ("cold", "warm") if any(side.caches for side in pair) else ("",)
    for route in routes:
        started = time.monotonic()
        answers = [side.ask(route.request) for side in pair]
        if max(answers) >= 400:
            steps.say(f"{route.name}: left out, as it was answered {answers[0]} and {answers[1]}")
            continue
        seconds = max(1e-6, time.monotonic() - started) / len(pair)
        times = max(1, min(MOST_IN_BLOCK, int(BLOCK_SECONDS / seconds)))
        yield from (Cell(route, state, times) for state in states)


def _take_turns(
    pair: Sequence[Side], cells: Sequence[Cell], seconds: float
) -> dict[tuple[str, str], list[Pair]]:
    """Send blocks until the time is over; what is left of the last round is sent, too."""
    if not cells:
        raise Refused("no route is answered by both sides", "one", "correct config/slo.toml")
    sent: dict[Cell, list[tuple[list[str], list[str]]]] = {cell: [] for cell in cells}
    started, rounds = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        if rounds % 20 == 0:
            steps.say(f"  {passed:3.0f} of {seconds:g} s, {rounds} rounds")
        for cell in cells:
            sent[cell].append(_round(pair, cell, first=rounds % 2))
        rounds += 1
    if rounds < FEWEST_ROUNDS:
        found = f"{rounds} rounds in {seconds:g} s"
        raise Refused(found, f"at least {FEWEST_ROUNDS}", "`make compare SECONDS=…` gives more")
    costs = [side.costs() for side in pair]
    return {
        (cell.route.name, cell.state): [
            ([costs[0][name] for name in one], [costs[1][name] for name in two])
            for one, two in names
        ]
        for cell, names in sent.items()
    }


def _round(pair: Sequence[Side], cell: Cell, first: int) -> tuple[list[str], list[str]]:
    """Send four blocks, A B B A: what grows or shrinks meanwhile counts for both."""
    names: tuple[list[str], list[str]] = ([], [])
    for turn in (first, 1 - first, 1 - first, first):
        names[turn].extend(_block(pair[turn], cell))
    return names


def _block(side: Side, cell: Cell) -> list[str]:
    """Send a block of requests after one that does not count."""
    side.ask(cell.route.request)
    sent = []
    for _ in range(cell.times):
        if cell.state == "cold":
            side.forget(cell.route.features)
        sent.append(side.measured(cell.route.request))
    return sent


def _rows(measured: dict[str, list[Pair]]) -> list[Row]:
    chosen = [
        (vital, of, pairs)
        for of, pairs in measured.items()
        for vital in VITALS
        if any(vital.shown(cost) for pair in pairs for costs in pair for cost in costs)
    ]
    return [_row(*each, rows=len(chosen)) for each in chosen]


def _row(vital: vitals.Vital, of: str, pairs: Sequence[Pair], rows: int) -> Row:
    rounds = [([*map(vital.of_one, a)], [*map(vital.of_one, b)]) for a, b in pairs]
    if vital.of_many is vitals.middle:
        rounds = difference.levelled(rounds)
    found = difference.between(rounds, vital.of_many, rows)
    return {
        "metric": vitals.metric(vital, of),
        "unit": vital.unit,
        "before": round(found.before, 4),
        "after": round(found.after, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "seen": found.seen,
        "better": found.seen and (found.after > found.before) == vital.more_is_better,
        "verdict": found.verdict(),
    }


def _print(rows: Sequence[Row], warnings: Sequence[str]) -> None:
    width = max(len(row["metric"]) for row in rows)
    steps.say("")
    for row in rows:
        figures = f"{row['before']:9.3f} → {row['after']:9.3f} {row['unit']:2}"
        steps.say(f"{row['metric']:<{width}} {figures}  {row['verdict']}")
    seen = sum(row["seen"] for row in rows)
    steps.say(f"\n{seen} of {len(rows)} differ" if seen else f"\n{difference.NONE}")
    steps.say("".join(f"warning: {warning}\n" for warning in warnings), end="")
