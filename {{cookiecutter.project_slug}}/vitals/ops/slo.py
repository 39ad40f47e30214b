"""Objectives: writes the error budgets of config/slo.toml, which the alert rules are held against.

The rules are those of the Site Reliability Workbook (chapter 5), in rules/objectives.yaml.
"""

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

SOURCE = "config/slo.toml"
RULES = "deploy/prometheus/rules/budgets.yaml"
# The histogram's bounds: only at one of them the slower requests can be counted.
BOUNDS_MS = (5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
P95_BUDGET = 0.05  # 5 of 100 requests may be slower
VALID: dict[str, tuple[Callable[[Any], bool], str]] = {  # of an objective, and in words
    "route": (lambda found: isinstance(found, str), "a path"),
    "request": (lambda found: isinstance(found, str), "a method and a path"),
    "rate": (lambda found: isinstance(found, int | float) and found > 0, "requests per second"),
    "p95_ms": (lambda found: found in BOUNDS_MS, f"one of {BOUNDS_MS}"),
    "availability": (
        lambda found: isinstance(found, int | float) and 0 < found < 100,
        "above 0, below 100",
    ),
}


def table(folder: Path) -> dict[str, Any]:
    """All of config/slo.toml; nothing where there is no such file."""
    file = folder / SOURCE
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{SOURCE}: {error}", "TOML") from error


def read(folder: Path) -> list[dict[str, Any]]:
    """The objectives. Raises `Refused` for one that can't be held or measured."""
    routes: list[dict[str, Any]] = table(folder).get("route", [])
    if isinstance(routes, dict):
        raise Refused(f"{SOURCE}: [route]", "[[route]], one for each")
    for route in routes:
        name = f"{SOURCE}: {route.get('route', 'a route without a name')}"
        if wrong := route.keys() - {"as"} ^ VALID.keys():
            raise Refused(f"{name}: {sorted(wrong)} missing or unknown", ", ".join(VALID))
        for key, (is_valid, expected) in VALID.items():
            if not is_valid(route[key]):
                raise Refused(f"{name}: {key} = {route[key]}", expected)
    return routes


def rules(routes: list[dict[str, Any]]) -> str:
    """The file for Prometheus: the share of each route's requests that may fail or be slow.

    Empty without routes: there is no file then.
    """
    head = f"# Made by `python -m vitals.ops.slo` from {SOURCE}.\n"
    budgets = "".join(budget for route in routes for budget in _budgets(route))
    return f"{head}groups:\n  - name: budgets\n    rules:\n{budgets}" if budgets else ""


def _budgets(route: dict[str, Any]) -> Iterator[str]:
    name, slow = route["route"], route["p95_ms"]
    promised = f"{route['availability']:g} % without a server error"
    errors = f"{1 - route['availability'] / 100:.6g}"
    yield _budget("errors", errors, http_route=name, objective=promised)
    promised = f"95 % within {slow} ms"
    yield _budget("slow", P95_BUDGET, http_route=name, objective=promised, le=f"{slow / 1000}")


def _budget(kind: str, share: object, **labels: str) -> str:
    lines = "".join(f"          {name}: '{value}'\n" for name, value in labels.items())
    record = f"route:http_server_{kind}:budget"
    return f"      - record: {record}\n        expr: vector({share})\n        labels:\n{lines}"


def write(folder: Path) -> None:
    """Write the budgets anew."""
    if text := rules(read(folder)):
        (folder / RULES).write_text(text, encoding="utf-8")
    else:
        (folder / RULES).unlink(missing_ok=True)


if __name__ == "__main__":
    steps.exit_with(lambda: write(shell.ROOT))
