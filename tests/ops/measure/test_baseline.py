"""The baseline, on services with given costs."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ops.measure.pretended import Pretended
from tests.ops.place import SLO
from vitals.ops.measure import baseline
from vitals.ops.measure.load import NOTHING, Load
from vitals.ops.measure.service import Service
from vitals.ops.release.releases import Release
from vitals.ops.run.steps import Refused


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the result is stored."""
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    monkeypatch.setattr("vitals.ops.measure.result.FOLDER", tmp_path / "measurements")
    monkeypatch.setattr("vitals.ops.measure.result.commit", lambda: "c0ffee")
    monkeypatch.setattr(baseline, "STATE_SECONDS", 0.2)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "slo.toml").write_text(SLO)
    return tmp_path / "measurements"


def starting(monkeypatch: pytest.MonkeyPatch, status: int = 200) -> None:
    @contextmanager
    def deployed(_: Release, __: Load) -> Iterator[Callable[[], Service]]:
        yield lambda: Pretended(2, status)

    monkeypatch.setattr("vitals.ops.measure.service.deployed", deployed)


def test_each_route_has_its_vitals_and_the_shares_of_its_cache(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    starting(monkeypatch)

    baseline.baseline()

    found = json.loads((stored / "c0ffee.json").read_text())
    values = {row["metric"]: row["value"] for row in found["rows"]}
    assert found["command"] == "make baseline"
    assert 1.8 < values["p95 of GET /items"] < 2.2
    assert values["cache hits of GET /items/{item_id}, warm cache"] == 100
    assert values["database calls of GET /items/{item_id}, cold cache"] == 1
    assert found["cache"]["GET /items/{item_id}, cold cache"] == {"miss": 100}
    assert "GET /items/{item_id}, warm cache" in capsys.readouterr().out


def test_a_route_is_not_asked_more_often_than_its_rate(stored: Path) -> None:
    plan = baseline.load.read(stored.parent)

    costs = baseline._drive(Pretended(1), plan.routes[1], cold=False)

    assert 1 <= len(costs) <= 11  # 50 a second


@pytest.mark.usefixtures("stored")
def test_a_route_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    starting(monkeypatch, status=404)

    with pytest.raises(Refused, match=r"GET /items was answered 404; expected success"):
        baseline.baseline()


def test_without_a_route_there_is_nothing_to_measure_yet(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stored.parent / "config" / "slo.toml").write_text("")

    baseline.baseline()

    assert capsys.readouterr().out == f"{NOTHING}\n"
    assert not stored.exists()
