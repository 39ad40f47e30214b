"""What is wrong, since when, and what is to be done? The worst first.

The thresholds are those of somebody who looks now; what was promised to users, and when somebody
is woken for it, stands in config/slo.toml and in the alerts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from vitals.health.checks import State
from vitals.status.history import History
from vitals.status.recent_errors import Repeats
from vitals.status.route_stats import Cost

RECENT_SLOTS = 5  # what happens now: about a minute
MIN_REQUESTS = 3  # fewer say nothing
SLOW_SECONDS = 1.0  # a bound of the histogram
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


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `runbook` is the heading in RUNBOOK.md."""

    status: str
    sentence: str
    since: datetime
    reason: str
    remedy: str
    runbook: str


class Rule(NamedTuple):
    """A route of whose requests at least this `share` is `bad` is worth a sentence."""

    runbook: str
    what: str
    share: float
    bad: Callable[[Cost], int]
    reason: str

    def breaks(self, cost: Cost, least: int = 1) -> bool:
        """Is it so, and of `least` requests?"""
        return self.bad(cost) >= max(least, self.share * cost.requests)


def _waiting(cost: Cost) -> int:
    return cost.requests if cost.statement_ms >= SLOW_STATEMENT_MS else 0


def _slow(cost: Cost) -> int:
    return 0 if _waiting(cost) else cost.slower_than(SLOW_SECONDS)


ERRED = "{bad} of its last {requests} requests ended in a server error"
WAITED = "a statement took {statement_ms:.0f} ms on average in the last minute"
SLOW = f"{{bad}} of its last {{requests}} requests took longer than {SLOW_SECONDS:g} s"
RULES = (
    Rule("ErrorBudgetBurn", "fails", 0.01, lambda cost: cost.errors, ERRED),
    Rule("SlowStatements", "waits for the database", 1, _waiting, WAITED),
    Rule("LatencyBudgetBurn", "is slow", 0.05, _slow, SLOW),
)


def findings(
    states: Iterable[State], history: History, repeats: Iterable[Repeats]
) -> list[Finding]:
    """Everything that is wrong now; what keeps the service from its work comes first."""
    found = [_checked(state) for state in states if not state.up]
    for route in history.totals():
        recent = history.total(route, RECENT_SLOTS)
        broken = [rule for rule in RULES if rule.breaks(recent, MIN_REQUESTS)]
        found += [_counted(route, rule, recent, history.points(route)) for rule in broken]
    for each in repeats:
        if datetime.now(UTC) - each.last < timedelta(seconds=REPEATS_SECONDS):
            sentence = f"In service, but {each.route} asks the database too often."
            told = f"one request ran one statement {each.times} times: {each.statement}"
            found.append(_warn("RepeatedStatements", sentence, told, each.since))
    return sorted(found, key=lambda each: ("fail", "warn").index(each.status))


def _checked(state: State) -> Finding:
    if state.name in PHASES:
        sentence = f"Out of service: it is {state.name}."
    elif state.required:
        sentence = f"Out of service: the check {state.name} fails."
    else:
        sentence = f"In service, but not at its best: the check {state.name} fails."
    remedy = state.remedy or REMEDIES.get(state.name, "Read the reason above.")
    return Finding(state.status, sentence, state.since, state.reason, remedy, state.name)


def _counted(route: str, rule: Rule, recent: Cost, points: list[Cost]) -> Finding:
    """It is so since the oldest slot from which on none with requests was good."""
    seconds = bad_seconds = points[-1].seconds
    for point in reversed(points[:-1]):
        seconds += point.seconds
        if rule.breaks(point):
            bad_seconds = seconds
        elif point.requests:
            break
    told = rule.reason.format(
        bad=rule.bad(recent), requests=recent.requests, statement_ms=recent.statement_ms
    )
    since = datetime.now(UTC) - timedelta(seconds=bad_seconds)
    return _warn(rule.runbook, f"In service, but {route} {rule.what}.", told, since)


def _warn(name: str, sentence: str, told: str, since: datetime) -> Finding:
    return Finding("warn", sentence, since, told, REMEDIES[name], name)
