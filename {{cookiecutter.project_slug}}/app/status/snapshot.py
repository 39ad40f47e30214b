"""What does the page know at this moment? The same as /status.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from app.health.checks import Checks, State
from app.status.cost import Cost
from app.status.history import History
from app.status.notes import Failure, Notes, Repeats
from app.status.verdict import Finding, findings

MAX_ROUTES_SHOWN = 15


@dataclass(frozen=True)
class RouteRow:
    """A route's vitals over the last 15 minutes, and its two charts, a number for each 15 s."""

    route: str
    requests: int
    per_second: float
    error_share: float
    p50_ms: float | None
    p95_ms: float | None
    db_calls: float
    hit_share: float | None  # None if the cache was not asked
    chart_per_second: list[float]
    chart_errors: list[int]
    chart_p95_ms: list[float | None]


@dataclass(frozen=True)
class Snapshot:
    """Everything that is shown; `findings` is empty while all is well."""

    about: Mapping[str, str]
    at: datetime
    up_since: datetime
    status: str
    sentence: str
    findings: list[Finding]
    checks: list[State]
    changes: list[State]
    routes: list[RouteRow]
    routes_not_shown: int
    repeats: list[Repeats]
    failures: list[Failure]
    gauges: Mapping[str, float]
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Watch:
    """Puts together what the process knows of itself."""

    about: Mapping[str, str]
    settings: Mapping[str, str]
    checks: Checks
    history: History
    notes: Notes
    up_since: datetime = field(default_factory=partial(datetime.now, UTC))

    def snapshot(self) -> Snapshot:
        """Everything as it is now; the routes with the greatest p95 first."""
        self.history.update()
        totals = {route: self.history.total(route) for route in self.history.routes()}
        routes = sorted(totals, key=lambda route: -(totals[route].quantile_ms(0.95) or 0))
        shown = routes[:MAX_ROUTES_SHOWN]
        states, repeats = self.checks.states(), self.notes.repeats()
        found = findings(states, self.checks.remedies(), self.history, repeats)
        return Snapshot(
            about=self.about,
            at=datetime.now(UTC),
            up_since=self.up_since,
            status=found[0].status if found else "pass",
            sentence=found[0].sentence if found else _all_is_well(len(states), [*totals.values()]),
            findings=found,
            checks=states,
            changes=self.checks.changes(),
            routes=[_row(route, totals[route], self.history.points(route)) for route in shown],
            routes_not_shown=len(routes) - len(shown),
            repeats=repeats,
            failures=self.notes.failures(),
            gauges=self.history.gauges,
            settings=self.settings,
        )


def _row(route: str, total: Cost, points: list[Cost]) -> RouteRow:
    return RouteRow(
        route=route,
        requests=total.requests,
        per_second=total.per_second,
        error_share=total.errors / total.requests,
        p50_ms=total.quantile_ms(0.5),
        p95_ms=total.quantile_ms(0.95),
        db_calls=total.db_calls / total.requests,
        hit_share=total.cache_hits / total.cache_asked if total.cache_asked else None,
        chart_per_second=[round(point.per_second, 2) for point in points],
        chart_errors=[point.errors for point in points],
        chart_p95_ms=[point.quantile_ms(0.95) for point in points],
    )


def _all_is_well(checks: int, costs: list[Cost]) -> str:
    requests, errors = sum(cost.requests for cost in costs), sum(cost.errors for cost in costs)
    counted = f"{errors} server errors in {requests} requests" if requests else "no requests"
    return f"All is well: {checks} checks pass, {counted} in the last 15 minutes."
