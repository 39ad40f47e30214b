"""When is a promise to users in danger? Writes the alerts from the promises in config/slo.toml.

Burn rates over two windows, as the Site Reliability Workbook has them (chapter 5): an alert comes
soon when much of the budget goes fast, later when it goes slowly, and ends soon after the trouble.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

SOURCE = "config/slo.toml"
RULES = "deploy/prometheus/rules/objectives.yaml"
# The histogram's bounds: only at one of them the slower requests can be counted.
BOUNDS_MS = (5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
P95_BUDGET = 0.05  # 5 of 100 requests may be slower
MIN_REQUESTS = 100  # in the long window; below that one failure would be a catastrophe
DURATION = "http_server_request_duration_seconds"
REQUESTS = "route:http_server_requests:increase"
KEYS = {"route", "request", "rate", "p95_ms", "availability"}


class Burn(NamedTuple):
    """How many times faster than allowed the budget goes, over a long and a short window."""

    times: float
    long: str
    short: str
    severity: str


BURNS = [
    Burn(14.4, "1h", "5m", "page"),
    Burn(6, "6h", "30m", "page"),
    Burn(1, "3d", "6h", "ticket"),
]
WINDOWS = ("5m", "30m", "1h", "6h", "3d")


def read(folder: Path) -> list[dict[str, Any]]:
    """The promises. Raises `Refused` for one that can't be held or measured."""
    routes: list[dict[str, Any]] = tomllib.loads((folder / SOURCE).read_text()).get("route", [])
    for route in routes:
        name = f"{SOURCE}: {route.get('route', 'a route without a name')}"
        if route.keys() != KEYS:
            raise Refused(f"{name}: {sorted(route.keys() ^ KEYS)} missing or unknown", str(KEYS))
        if route["p95_ms"] not in BOUNDS_MS:
            raise Refused(f"{name}: p95_ms = {route['p95_ms']}", f"one of {BOUNDS_MS}")
        if not 0 < route["availability"] < 100:
            raise Refused(f"{name}: availability = {route['availability']}", "above 0, below 100")
    return routes


def rules(routes: list[dict[str, Any]]) -> str:
    """The file for Prometheus: what is recorded, then two objectives for each route."""
    recorded = [*_errors(), *(rule for route in routes for rule in _slow(route))]
    alerts = [alert for route in routes for alert in _alerts(route)]
    return (
        f"# Made by `python -m vitals.ops.slo` from {SOURCE}.\n"
        "groups:\n"
        f"  - name: objectives\n    rules:\n{''.join([*recorded, *alerts])}"
    )


def _errors() -> Iterable[str]:
    for window in WINDOWS:
        total = f"sum by (job, http_route) (rate({DURATION}_count[{window}]))"
        errors = f'rate({DURATION}_count{{http_response_status_code=~"5.."}}[{window}])'
        yield _record(
            f"route:http_server_errors:ratio_rate{window}",
            f"(sum by (job, http_route) ({errors}) or 0 * {total}) / ({total} > 0)",
        )
    for burn in BURNS:
        total = f"sum by (job, http_route) (increase({DURATION}_count[{burn.long}]))"
        yield _record(f"{REQUESTS}{burn.long}", total)


def _slow(route: dict[str, Any]) -> Iterable[str]:
    only = f'http_route="{route["route"]}"'
    bound = f'le="{route["p95_ms"] / 1000}"'
    for window in WINDOWS:
        fast = f"sum by (job, http_route) (rate({DURATION}_bucket{{{only},{bound}}}[{window}]))"
        total = f"sum by (job, http_route) (rate({DURATION}_count{{{only}}}[{window}]))"
        name = f"route:http_server_slow:ratio_rate{window}"
        yield _record(name, f"1 - {fast} / ({total} > 0)", route["route"])


def _alerts(route: dict[str, Any]) -> Iterable[str]:
    promised = f"{route['availability']:g} % without a server error"
    budget = 1 - route["availability"] / 100
    yield from _burns("ErrorBudgetBurn", "errors", route["route"], budget, promised)
    promised = f"95 % within {route['p95_ms']} ms"
    yield from _burns("LatencyBudgetBurn", "slow", route["route"], P95_BUDGET, promised)


def _burns(name: str, what: str, route: str, budget: float, promised: str) -> Iterable[str]:
    only = f'{{http_route="{route}"}}'
    for burn in BURNS:
        limit = f"{burn.times * budget:.6g}"
        yield (
            f"      - alert: {name}\n"
            "        expr: |\n"
            f"          route:http_server_{what}:ratio_rate{burn.long}{only} > {limit}\n"
            f"          and route:http_server_{what}:ratio_rate{burn.short}{only} > {limit}\n"
            f"          and {REQUESTS}{burn.long}{only} >= {MIN_REQUESTS}\n"
            "        labels:\n"
            f"          http_route: '{route}'\n"
            f"          severity: {burn.severity}\n"
            f'          burn: "{burn.times:g}"\n'
            "        annotations:\n"
            f"          summary: '{route}: {{{{ $value | humanizePercentage }}}} {what} in "
            f"{burn.long}, {burn.times:g} times what is allowed'\n"
            f"          description: 'Promised: {promised}.'\n"
            f"          runbook_url: 'RUNBOOK.md#{name.lower()}'\n"
        )


def _record(name: str, expression: str, route: str = "") -> str:
    labels = f"        labels:\n          http_route: '{route}'\n" if route else ""
    return f"      - record: {name}\n        expr: |\n          {expression}\n{labels}"


def write() -> None:
    """Write the rules anew."""
    text = rules(read(shell.ROOT))
    (shell.ROOT / RULES).write_text(text)
    steps.say(f"{RULES}: {text.count('- alert:')} alerts")


if __name__ == "__main__":
    steps.exit_with(write)
