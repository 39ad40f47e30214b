"""Diagnosis: what is wrong, since when and what to do, the worst first.

The thresholds suit somebody who looks at the page now. The objectives, and when an alert fires,
are in config/slo.toml.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from vitals.health.checks import PHASES, CheckState
from vitals.observability.recent_errors import Repeats
from vitals.status.history import History, RouteStats

RECENT_SLOTS = 5  # about a minute
MIN_REQUESTS = 3  # too few requests prove nothing
SLOW_SECONDS = 1.0  # a bound of the histogram
SLOW_STATEMENT_MS = 100
REPEATS_SECONDS = 300
REMEDIES = {
    "starting": "Wait: traffic starts as soon as every check has run once.",
    "draining": "Do nothing during a deployment or restart. Otherwise find out who sent SIGTERM.",
    "ErrorBudgetBurn": "Search the log for a request ID of the last server errors below.",
    "LatencyBudgetBurn": "If it started with a deployment, roll back. Otherwise compare the "
    "route's database calls and cache hits below.",
    "SlowStatements": "Search the log for `slow statement`, and check the load of the database.",
    "RepeatedStatements": "Load all rows with one statement. A query budget in a test keeps it so.",
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
    """A problem of a route: at least this `share` of its requests is `bad`."""

    runbook: str
    problem: str
    share: float
    bad: Callable[[RouteStats], int]
    reason: str

    def applies(self, stats: RouteStats, least: int = 1) -> bool:
        """Return whether it applies to a route, and to at least this many requests."""
        return self.bad(stats) >= max(least, self.share * stats.requests)


def _waiting(stats: RouteStats) -> int:
    return stats.requests if stats.statement_ms >= SLOW_STATEMENT_MS else 0


def _slow(stats: RouteStats) -> int:
    return 0 if _waiting(stats) else stats.slower_than(SLOW_SECONDS)


ERRORS = "{bad} of the last {requests} requests ended in a server error"
WAITING = "a statement took {statement_ms:.0f} ms on average in the last minute"
SLOW = f"{{bad}} of the last {{requests}} requests took longer than {SLOW_SECONDS:g} s"
RULES = (
    Rule("ErrorBudgetBurn", "returns server errors", 0.01, lambda stats: stats.errors, ERRORS),
    Rule("SlowStatements", "waits for the database", 1, _waiting, WAITING),
    Rule("LatencyBudgetBurn", "is slow", 0.05, _slow, SLOW),
)


def findings(
    states: Iterable[CheckState], history: History, repeats: Iterable[Repeats]
) -> list[Finding]:
    """Return everything that is wrong now; what takes the service out of service comes first."""
    found = [_of_check(state) for state in states if not state.up]
    for route in history.totals():
        recent = history.total(route, RECENT_SLOTS)
        broken = [rule for rule in RULES if rule.applies(recent, MIN_REQUESTS)]
        found += [_of_route(route, rule, recent, history.points(route)) for rule in broken]
    for each in repeats:
        if datetime.now(UTC) - each.last < timedelta(seconds=REPEATS_SECONDS):
            problem = f"{each.route} repeats a database statement"
            reason = f"one request ran it {each.times} times: {each.statement}"
            found.append(_degraded("RepeatedStatements", problem, reason, each.since))
    return sorted(found, key=lambda each: ("fail", "warn").index(each.status))


def _of_check(state: CheckState) -> Finding:
    if state.name in PHASES:
        sentence = f"Out of service: the process is {state.name}"
    elif state.required:
        sentence = f'Out of service: required check "{state.name}" is failing'
    else:
        sentence = f'Degraded: check "{state.name}" is failing'
    remedy = state.remedy or REMEDIES.get(state.name, "Find the cause of the reason above.")
    return Finding(state.status, sentence, state.since, state.reason, remedy, state.name)


def _of_route(route: str, rule: Rule, recent: RouteStats, points: list[RouteStats]) -> Finding:
    """Date it back to the oldest slot after which no slot with requests was good."""
    seconds = bad_seconds = points[-1].seconds
    for point in reversed(points[:-1]):
        seconds += point.seconds
        if rule.applies(point):
            bad_seconds = seconds
        elif point.requests:
            break
    reason = rule.reason.format(
        bad=rule.bad(recent), requests=recent.requests, statement_ms=recent.statement_ms
    )
    since = datetime.now(UTC) - timedelta(seconds=bad_seconds)
    return _degraded(rule.runbook, f"{route} {rule.problem}", reason, since)


def _degraded(name: str, problem: str, reason: str, since: datetime) -> Finding:
    return Finding("warn", f"Degraded: {problem}", since, reason, REMEDIES[name], name)
