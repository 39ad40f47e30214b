"""What is wrong, since when, and what is to be done? The worst first.

The thresholds are those of somebody who looks now; what was promised to users, and when somebody
is woken for it, stands in config/slo.toml and in the alerts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from app.status.cost import Cost
from app.status.history import SLOT_SECONDS, SLOTS
from app.status.notes import Repeats

RECENT_SLOTS = 5  # what happens now: about a minute
MIN_REQUESTS = 3  # fewer say nothing
ERRING_SHARE = 0.01
SLOW_SECONDS = 1.0  # a bound of the histogram
SLOW_SHARE = 0.05
SLOW_STATEMENT_MS = 100
REPEATS_SECONDS = 300
PHASES = ("starting", "draining")
REMEDIES = {
    "starting": "Wait: traffic comes as soon as every check has answered once.",
    "draining": "Nothing, if somebody deploys or restarts it; else look who sent SIGTERM.",
    "ErrorBudgetBurn": "Take a request id from the last errors below and look for it in the log.",
    "LatencyBudgetBurn": "If it began with a deployment, go back; else see what it waits for.",
    "SlowStatements": "Look for the warning `slow statement` in the log, and at the database.",
    "RepeatedStatements": "Ask for all rows in one statement; a query budget in a test keeps it.",
}

Points = Callable[[str, int], Sequence[Cost]]  # of a route, in the last so many slots
Status = Literal["pass", "warn", "fail"]


class State(Protocol):
    """What is known of a check."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def up(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def duration_seconds(self) -> float: ...
    @property
    def since(self) -> datetime: ...
    @property
    def last_ok(self) -> datetime | None: ...


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `runbook` is the heading in RUNBOOK.md."""

    status: Status
    sentence: str
    since: datetime
    reason: str
    remedy: str
    runbook: str


def findings(
    states: Iterable[State],
    remedies: Mapping[str, str],
    routes: Iterable[str],
    points: Points,
    repeats: Iterable[Repeats],
) -> list[Finding]:
    """Everything that is wrong now; what keeps the service from its work comes first."""
    checked = [_checked(state, {**REMEDIES, **remedies}) for state in states if not state.up]
    counted = [finding for route in routes for finding in _counted(route, points)]
    found = [*checked, *counted, *_repeated(repeats)]
    return sorted(found, key=lambda each: ("fail", "warn").index(each.status))


def _checked(state: State, remedies: Mapping[str, str]) -> Finding:
    if state.name in PHASES:
        sentence = f"Out of service: it is {state.name}."
    elif state.required:
        sentence = f"Out of service: the check {state.name} fails."
    else:
        sentence = f"In service, but not at its best: the check {state.name} fails."
    remedy = remedies.get(state.name) or "Read the reason above."
    status: Status = "fail" if state.required else "warn"
    return Finding(status, sentence, state.since, state.reason, remedy, state.name)


def _counted(route: str, points: Points) -> Iterable[Finding]:
    recent = [cost for cost in points(route, RECENT_SLOTS) if cost.requests]
    requests = sum(cost.requests for cost in recent)
    if requests < MIN_REQUESTS:
        return
    errors = sum(cost.errors for cost in recent)
    statements = sum(cost.statements for cost in recent)
    statement_ms = sum(cost.statement_us for cost in recent) / 1000 / max(1, statements)
    if errors >= MIN_REQUESTS and errors >= ERRING_SHARE * requests:
        told = f"{errors} of its last {requests} requests ended in a server error"
        since = _since(points(route, SLOTS), _errs)
        yield _warn("ErrorBudgetBurn", f"In service, but {route} fails.", told, since)
    if statement_ms >= SLOW_STATEMENT_MS:
        told = f"a statement took {statement_ms:.0f} ms on average in the last minute"
        since = _since(points(route, SLOTS), _asks_slowly)
        yield _warn(
            "SlowStatements", f"In service, but {route} waits for the database.", told, since
        )
    elif (slow := sum(cost.slower_than(SLOW_SECONDS) for cost in recent)) > SLOW_SHARE * requests:
        told = f"{slow} of its last {requests} requests took longer than {SLOW_SECONDS:g} s"
        since = _since(points(route, SLOTS), _is_slow)
        yield _warn("LatencyBudgetBurn", f"In service, but {route} is slow.", told, since)


def _repeated(repeats: Iterable[Repeats]) -> Iterable[Finding]:
    for each in repeats:
        if datetime.now(UTC) - each.last < timedelta(seconds=REPEATS_SECONDS):
            sentence = f"In service, but {each.route} asks the database too often."
            told = f"one request ran one statement {each.times} times: {each.statement}"
            yield _warn("RepeatedStatements", sentence, told, each.since)


def _warn(name: str, sentence: str, told: str, since: datetime) -> Finding:
    return Finding("warn", sentence, since, told, REMEDIES[name], name)


def _errs(cost: Cost) -> bool:
    return cost.errors > 0


def _asks_slowly(cost: Cost) -> bool:
    return (cost.statement_ms or 0) >= SLOW_STATEMENT_MS


def _is_slow(cost: Cost) -> bool:
    return cost.slower_than(SLOW_SECONDS) > SLOW_SHARE * cost.requests


def _since(costs: Sequence[Cost], is_bad: Callable[[Cost], bool]) -> datetime:
    """The begin of the oldest slot from which on none with requests was good."""
    begin = 0
    for age, cost in enumerate(reversed(costs)):
        if is_bad(cost):
            begin = age
        elif cost.requests:
            break
    return datetime.now(UTC) - timedelta(seconds=begin * SLOT_SECONDS + costs[-1].seconds)
