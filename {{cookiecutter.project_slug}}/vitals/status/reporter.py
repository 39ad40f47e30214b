"""The data of the status page, which /status.json answers.

A section of your own is a title and a function that returns names and values without waiting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from math import isfinite
from typing import Any

from vitals.service import Service
from vitals.status.diagnosis import findings
from vitals.status.history import History, RouteStats

MAX_ROUTES = 15
MAX_FINDINGS = 20
MAX_SECTION_ROWS = 50
MAX_SECTION_TEXT = 200

Section = Callable[[], Mapping[str, object]]


@dataclass(frozen=True)
class StatusReporter:
    """Collects what is known about the service. `runbook` is where its headings are."""

    about: Mapping[str, str]
    settings: Mapping[str, str]
    service: Service
    history: History
    sections: Mapping[str, Section]
    runbook: str
    up_since: datetime = field(default_factory=partial(datetime.now, UTC))

    async def snapshot(self) -> dict[str, Any]:
        """Return the current state; `findings` is empty while the service is healthy."""
        await self.service.refresh()
        self.history.update()
        totals = self.history.totals()
        slowest = sorted(totals, key=lambda route: -(totals[route].quantile_ms(0.95) or 0))
        points = self.history.points
        rows = [_row(name, totals[name], points(name)) for name in slowest[:MAX_ROUTES]]
        known = self.service.snapshot()
        states, repeats = known.states, known.repeats
        found = findings(states, self.history, repeats)
        return {
            "about": {**self.about, **self.service.about()},
            "at": datetime.now(UTC),
            "up_since": self.up_since,
            "status": found[0].status if found else "pass",
            "sentence": found[0].sentence if found else f"Healthy: all {len(states)} checks pass",
            "findings": found[:MAX_FINDINGS],
            "runbook": self.runbook,
            "requests": sum(stats.requests for stats in totals.values()),
            "errors": sum(stats.errors for stats in totals.values()),
            "checks": states,
            "changes": known.changes,
            "routes": rows,
            "routes_not_shown": len(totals) - len(rows),
            "repeats": repeats,
            "failures": known.failures,
            "gauges": {n: value for n, value in self.history.gauges.items() if isfinite(value)},
            "sections": {t: rows for t, read in self.sections.items() if (rows := _values(read))},
            "settings": self.settings,
        }


def _row(route: str, total: RouteStats, points: Sequence[RouteStats]) -> dict[str, Any]:
    """Return a route's vitals over the last 15 minutes; a chart has a number for each 15 s."""
    return {
        "route": route,
        "requests": total.requests,
        "per_second": total.per_second,
        "error_share": total.errors / total.requests,
        "p50_ms": total.quantile_ms(0.5),
        "p95_ms": total.quantile_ms(0.95),
        "db_calls": total.db_calls / total.requests,
        "hit_share": total.cache_hits / total.cache_lookups if total.cache_lookups else None,
        "chart_per_second": [round(point.per_second, 2) for point in points],
        "chart_errors": [point.errors for point in points],
        "chart_p95_ms": [point.quantile_ms(0.95) for point in points],
    }


def _values(read: Section) -> dict[str, str]:
    try:
        rows = islice(read().items(), MAX_SECTION_ROWS)
        return {f"{name}"[:MAX_SECTION_TEXT]: f"{value}"[:MAX_SECTION_TEXT] for name, value in rows}
    except Exception as error:  # a broken section must not hide the rest of the page
        return {"error": type(error).__name__}
