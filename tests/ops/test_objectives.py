"""The error budgets that the alert rules are held against."""

from pathlib import Path

import pytest
import yaml

from vitals.observability.metric_types import DURATION_BUCKETS
from vitals.ops import slo
from vitals.ops.run.steps import Refused

OBJECTIVE = """
[[route]]
route = "/items"
request = "GET /items"
rate = 20
p95_ms = 250
availability = 99.9
"""


def written(folder: Path, text: str) -> Path:
    (folder / "config").mkdir()
    (folder / slo.SOURCE).write_text(text)
    return folder


def test_the_bounds_are_those_of_the_histogram() -> None:
    assert tuple(ms / 1000 for ms in slo.BOUNDS_MS) == DURATION_BUCKETS


def test_the_budgets_are_the_shares_that_an_objective_leaves(tmp_path: Path) -> None:
    text = slo.rules(slo.read(written(tmp_path, OBJECTIVE)))

    errors, slow = yaml.safe_load(text)["groups"][0]["rules"]
    assert errors == {
        "record": "route:http_server_errors:budget",
        "expr": "vector(0.001)",
        "labels": {"http_route": "/items", "objective": "99.9 % without a server error"},
    }
    assert slow == {
        "record": "route:http_server_slow:budget",
        "expr": "vector(0.05)",
        "labels": {"http_route": "/items", "objective": "95 % within 250 ms", "le": "0.25"},
    }


def test_without_an_objective_there_is_no_budget(tmp_path: Path) -> None:
    assert slo.rules(slo.read(written(tmp_path, ""))) == ""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("p95_ms = 300", "p95_ms = 300; expected one of"),
        ("availability = 100", "availability = 100; expected above 0, below 100"),
        ("speed = 1", "missing or unknown"),
        ("rate = 0", "rate = 0; expected requests per second"),
        ('availability = "99.9"', "availability = 99.9; expected above 0, below 100"),
        ("request = 5", "request = 5; expected a method and a path"),
        ("rate = fast", "config/slo.toml: Invalid value"),
    ],
)
def test_an_objective_that_cannot_be_held_is_refused(tmp_path: Path, line: str, found: str) -> None:
    name = line.partition(" ")[0]
    other_lines = "".join(
        f"{each}\n" for each in OBJECTIVE.splitlines() if not each.startswith(name)
    )

    with pytest.raises(Refused) as refused:
        slo.read(written(tmp_path, f"{other_lines}{line}\n"))

    assert found in str(refused.value)


def test_a_table_in_place_of_a_list_is_refused_with_the_way_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"\[route\]; expected \[\[route\]\]"):
        slo.read(written(tmp_path, OBJECTIVE.replace("[[route]]", "[route]")))
