"""The state of workers besides their counts, and how it is combined into that of the service."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ConfigDict

from vitals.health.checks import CHANGES_KEPT, PHASES, CheckState
from vitals.observability.metric_types import Series
from vitals.observability.recent_errors import MAX_ERRORS, Failure, Repeats

SAME_SECONDS = 5  # in which all workers see one change


@dataclass
class Snapshot:
    """The state of one worker."""

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    states: list[CheckState]
    changes: list[CheckState]
    failures: list[Failure]
    repeats: list[Repeats]
    gauges: list[Series]


def together(workers: Sequence[Snapshot]) -> Snapshot:
    """One snapshot of all. A check fails if one worker's does, and is required if all of them do.

    A worker that starts or drains says nothing of the service, unless all of them do.
    """
    if len(workers) == 1:
        return workers[0]
    names = dict.fromkeys(state.name for each in workers for state in each.states)
    failures = sorted((f for each in workers for f in each.failures), key=lambda f: f.at)
    repeats = sorted((r for each in workers for r in each.repeats), key=lambda r: r.last)
    latest = {(each.route, each.statement): each for each in repeats}
    return Snapshot(
        states=[state for name in names if (state := _merged(name, workers)) is not None],
        changes=_changes(workers),
        failures=failures[: -MAX_ERRORS - 1 : -1],
        repeats=sorted(latest.values(), key=lambda each: -each.times),
        gauges=[gauge for each in workers for gauge in each.gauges],
    )


def _merged(name: str, workers: Sequence[Snapshot]) -> CheckState | None:
    every = enumerate(workers, 1)
    found = [(n, s.current()) for n, each in every for s in each.states if s.name == name]
    bad = [(number, state) for number, state in found if not state.up]
    if not bad:
        return found[0][1]
    is_everywhere = len(bad) == len(workers)
    if name in PHASES and not is_everywhere:
        return None
    number, state = bad[0]
    if is_everywhere:
        return state
    who = f"worker {number}" if len(bad) == 1 else f"{len(bad)} workers"
    reason = f"{who} of {len(workers)}: {state.reason}"
    return replace(state, required=False, reason=reason)


def _changes(workers: Sequence[Snapshot]) -> list[CheckState]:
    """The last changes, newest first; one that several see is one."""
    found: list[CheckState] = []
    for state in sorted((s for each in workers for s in each.changes), key=lambda s: s.since):
        if not any(_is_same(state, before) for before in found[-len(workers) :]):
            found.append(state)
    return found[-CHANGES_KEPT:][::-1]


def _is_same(one: CheckState, other: CheckState) -> bool:
    seconds = (one.since - other.since).total_seconds()
    return (one.name, one.up) == (other.name, other.up) and seconds < SAME_SECONDS
