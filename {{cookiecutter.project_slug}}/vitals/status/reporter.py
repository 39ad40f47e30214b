"""What does the page know at this moment? The same as /status.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from vitals.health.checks import Checks
from vitals.status.diagnosis import findings
from vitals.status.history import History
from vitals.status.recent_errors import Notes
from vitals.status.route_stats import Cost

MAX_ROUTES_SHOWN = 15


@dataclass(frozen=True)
class Watch:
    """Puts together what the process knows of itself."""

    about: Mapping[str, str]
    settings: Mapping[str, str]
    checks: Checks
    history: History
    notes: Notes
    up_since: datetime = field(default_factory=partial(datetime.now, UTC))

    def snapshot(self) -> dict[str, Any]:
        """Everything as it is now; `findings` is empty while all is well."""
        self.history.update()
        totals = self.history.totals()
        slowest = sorted(totals, key=lambda route: -(totals[route].quantile_ms(0.95) or 0))
        shown = slowest[:MAX_ROUTES_SHOWN]
        states, repeats = self.checks.states(), self.notes.repeats()
        found = findings(states, self.history, repeats)
        return {
            "about": self.about,
            "at": datetime.now(UTC),
            "up_since": self.up_since,
            "status": found[0].status if found else "pass",
            "sentence": found[0].sentence if found else _all_is_well(len(states), totals),
            "findings": found,
            "checks": states,
            "changes": self.checks.changes(),
            "routes": [_row(name, totals[name], self.history.points(name)) for name in shown],
            "routes_not_shown": len(totals) - len(shown),
            "repeats": repeats,
            "failures": self.notes.failures(),
            "gauges": self.history.gauges,
            "settings": self.settings,
        }


def _row(route: str, total: Cost, points: Sequence[Cost]) -> dict[str, Any]:
    """A route's vitals over the last 15 minutes, and its charts, a number for each 15 s."""
    return {
        "route": route,
        "requests": total.requests,
        "per_second": total.per_second,
        "error_share": total.errors / total.requests,
        "p50_ms": total.quantile_ms(0.5),
        "p95_ms": total.quantile_ms(0.95),
        "db_calls": total.db_calls / total.requests,
        "hit_share": total.cache_hits / total.cache_asked if total.cache_asked else None,
        "chart_per_second": [round(point.per_second, 2) for point in points],
        "chart_errors": [point.errors for point in points],
        "chart_p95_ms": [point.quantile_ms(0.95) for point in points],
    }


def _all_is_well(checks: int, totals: Mapping[str, Cost]) -> str:
    requests = sum(cost.requests for cost in totals.values())
    errors = sum(cost.errors for cost in totals.values())
    counted = f"{errors} server errors in {requests} requests" if requests else "no requests"
    return f"All is well: {checks} checks pass, {counted} in the last 15 minutes."
