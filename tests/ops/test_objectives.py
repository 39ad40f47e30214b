"""Do the alerts say what config/slo.toml promises?"""

from pathlib import Path

import pytest

from vitals.observability.metrics import SECONDS
from vitals.ops import slo
from vitals.ops.run.steps import Refused

PROMISE = """
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
    assert tuple(ms / 1000 for ms in slo.BOUNDS_MS) == SECONDS


def test_each_burn_rate_is_that_many_times_the_budget(tmp_path: Path) -> None:
    text = slo.rules(slo.read(written(tmp_path, PROMISE)))

    for limit in (0.0144, 0.006, 0.001):  # of 0.1 % that may fail
        assert text.count(f'errors:ratio_rate5m{{http_route="/items"}} > {limit}') <= 1
        assert f"> {limit}\n" in text
    for limit in (0.72, 0.3, 0.05):  # of 5 % that may be slower
        assert f"> {limit}\n" in text


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("p95_ms = 300", "p95_ms = 300; expected one of"),
        ("availability = 100", "availability = 100; expected above 0, below 100"),
        ("speed = 1", "missing or unknown"),
    ],
)
def test_a_promise_that_cannot_be_held_is_refused(tmp_path: Path, line: str, found: str) -> None:
    name = line.partition(" ")[0]
    kept = "".join(f"{each}\n" for each in PROMISE.splitlines() if not each.startswith(name))

    with pytest.raises(Refused) as refused:
        slo.read(written(tmp_path, f"{kept}{line}\n"))

    assert found in str(refused.value)
