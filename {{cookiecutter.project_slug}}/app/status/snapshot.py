"""What does the page know at this moment? The same as /status.json."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from app.status.cost import Cost
from app.status.history import History
from app.status.notes import Failure, Notes, Repeats
from app.status.verdict import Finding, State, findings

MAX_ROUTES_SHOWN = 15


@dataclass(frozen=True)
class CheckRow:
    """A check as it is shown."""

    name: str
    status: str
    required: bool
    since: datetime
    last_ok: datetime | None
    reason: str
    ms: float


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
    hit_share: float | None
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
    checks: list[CheckRow]
    changes: list[CheckRow]
    routes: list[RouteRow]
    routes_not_shown: int
    repeats: list[Repeats]
    failures: list[Failure]
    gauges: Mapping[str, float]
    settings: Mapping[str, str]


class Checks(Protocol):
    """Whoever knows how the checks stand."""

    def states(self) -> Sequence[State]: ...
    def changes(self) -> Sequence[State]: ...
    def remedies(self) -> Mapping[str, str]: ...


class Watch:
    """Puts together what the process knows of itself."""

    def __init__(
        self,
        about: Mapping[str, str],
        settings: Mapping[str, str],
        checks: Checks,
        history: History,
        notes: Notes,
    ) -> None:
        self._about = about
        self._settings = settings
        self._checks = checks
        self._history = history
        self._notes = notes
        self._up_since = datetime.now(UTC)

    async def snapshot(self) -> Snapshot:
        """Everything as it is now; the routes with the greatest p95 first."""
        await self._history.update()
        totals = {route: self._history.total(route) for route in self._history.routes()}
        routes = sorted(totals, key=lambda route: -(totals[route].quantile_ms(0.95) or 0))
        shown = routes[:MAX_ROUTES_SHOWN]
        states, repeats = self._checks.states(), self._notes.repeats()
        points = self._history.points
        found = findings(states, self._checks.remedies(), routes, points, repeats)
        return Snapshot(
            about=self._about,
            at=datetime.now(UTC),
            up_since=self._up_since,
            status=found[0].status if found else "pass",
            sentence=found[0].sentence if found else _all_is_well(len(states), totals.values()),
            findings=found,
            checks=[_check_row(state) for state in states],
            changes=[_check_row(state) for state in self._checks.changes()],
            routes=[_row(route, totals[route], points(route)) for route in shown],
            routes_not_shown=len(routes) - len(shown),
            repeats=repeats,
            failures=self._notes.failures(),
            gauges=self._history.gauges,
            settings=self._settings,
        )


def _row(route: str, total: Cost, points: list[Cost]) -> RouteRow:
    return RouteRow(
        route=route,
        requests=total.requests,
        per_second=total.per_second,
        error_share=total.error_share,
        p50_ms=total.quantile_ms(0.5),
        p95_ms=total.quantile_ms(0.95),
        db_calls=total.db_calls_each,
        hit_share=total.hit_share,
        chart_per_second=[round(point.per_second, 2) for point in points],
        chart_errors=[point.errors for point in points],
        chart_p95_ms=[point.quantile_ms(0.95) for point in points],
    )


def _all_is_well(checks: int, totals: Iterable[Cost]) -> str:
    costs = list(totals)
    requests, errors = sum(cost.requests for cost in costs), sum(cost.errors for cost in costs)
    counted = f"{errors} server errors in {requests} requests" if requests else "no requests"
    return f"All is well: {checks} checks pass, {counted} in the last 15 minutes."


def _check_row(state: State) -> CheckRow:
    ms = round(state.duration_seconds * 1000, 1)
    return CheckRow(
        state.name, state.status, state.required, state.since, state.last_ok, state.reason, ms
    )
