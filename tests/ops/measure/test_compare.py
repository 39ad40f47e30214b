"""The comparison, on services with given costs."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ops.measure.pretended import Pretended
from tests.ops.place import SLO
from vitals.ops.measure import compare, difference
from vitals.ops.measure.load import NOTHING, Load
from vitals.ops.measure.service import Service
from vitals.ops.release import changes
from vitals.ops.release.releases import Release
from vitals.ops.run import git
from vitals.ops.run.steps import Refused


@pytest.fixture
def project(somebody: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one commit; what it measures is stored in its folder."""
    monkeypatch.setattr("vitals.ops.release.releases.FOLDER", somebody / "build" / "releases")
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", somebody)
    monkeypatch.setattr("vitals.ops.measure.result.FOLDER", somebody / "build" / "measurements")
    monkeypatch.setattr(difference, "RESAMPLES", 40)
    monkeypatch.setenv("SECONDS", "0.05")
    monkeypatch.setattr(compare, "time", SimpleNamespace(monotonic=count(step=0.0025).__next__))
    monkeypatch.setenv("BASE", "HEAD")
    monkeypatch.setattr("vitals.ops.services.known", list)
    (somebody / "config").mkdir()
    (somebody / "app" / "items").mkdir(parents=True)
    (somebody / "config" / "slo.toml").write_text(SLO)
    (somebody / ".gitignore").write_text("build/\n")
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message", "one")
    return somebody


def between(monkeypatch: pytest.MonkeyPatch, before: Pretended, after: Pretended) -> None:
    """Have these two be the services that are started."""

    @contextmanager
    def deployed(release: Release, _: Load) -> Iterator[Callable[[], Service]]:
        yield lambda: before if release.build.version == "base" else after

    monkeypatch.setattr("vitals.ops.measure.service.deployed", deployed)


def stored(project: Path) -> dict[str, Any]:
    (path,) = (project / "build" / "measurements").glob("*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_slower_tree_is_called_slower_on_each_route(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, Pretended(1), Pretended(1.5))

    compare.compare()

    slower = {row["metric"] for row in stored(project)["rows"] if row["seen"] and not row["better"]}
    assert {
        "p50 of GET /items",
        "p50 of GET /items/{item_id}, cold cache",
        "p50 of GET /items/{item_id}, warm cache",
    } <= slower
    assert "database calls of GET /items" not in slower


def test_equals_come_out_as_no_difference(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    between(monkeypatch, Pretended(1), Pretended(1))

    compare.compare()

    assert {row["verdict"] for row in stored(project)["rows"]} == {difference.NONE}
    assert f"\n{difference.NONE}\n" in capsys.readouterr().out


def test_a_change_record_can_cite_the_result(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, Pretended(1.5), Pretended(1))
    compare.compare()
    (project / "changes").mkdir()
    cited = project / "changes" / "0001-faster.json"
    cited.write_text(json.dumps(stored(project)))
    record = {
        "measured.command": "make compare BASE=HEAD",
        "measured.metric": "p50 of GET /items",
        "measured.result": "changes/0001-faster.json",
    }

    assert changes.measurement(record).startswith("p50 of GET /items 1.")


def test_a_picture_lies_beside_the_result(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    between(monkeypatch, Pretended(1), Pretended(1))

    compare.compare()

    (picture,) = (project / "build" / "measurements").glob("HEAD-to-*.svg")
    assert "HEAD → this tree" in picture.read_text()


def test_a_comparison_has_enough_rounds_though_the_time_is_over(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECONDS", "0")
    between(monkeypatch, Pretended(1), Pretended(1))

    compare.compare()

    assert stored(project)["rounds"] == compare.FEWEST_ROUNDS


@pytest.mark.usefixtures("project")
def test_only_the_cache_of_the_measured_feature_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Pretended(1)
    between(monkeypatch, before, Pretended(1))

    compare.compare()

    assert set(before.cleared) == {"items"}


@pytest.mark.usefixtures("project")
def test_routes_that_one_side_does_not_answer_leave_nothing_to_compare(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    between(monkeypatch, Pretended(1, status=404), Pretended(1))

    with pytest.raises(Refused, match="no route is answered by both"):
        compare.compare()

    assert "GET /items: left out, as it was answered 404 and 200" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("BASE", "", "no BASE; expected a tag or commit"),
        ("BASE", "v9.9.9", "BASE=v9.9.9; expected a tag or commit"),
        ("BASE", "--all", "BASE=--all"),
        ("SECONDS", "soon", "SECONDS=soon; expected how long"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_wrong_word_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, found: str
) -> None:
    monkeypatch.setenv(name, given)
    between(monkeypatch, Pretended(1), Pretended(1))

    with pytest.raises(Refused) as refused:
        compare.compare()

    assert found in str(refused.value)


def test_without_a_route_there_is_nothing_to_compare_yet(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "config" / "slo.toml").write_text("")

    compare.compare()

    assert capsys.readouterr().out == f"{NOTHING}\n"
