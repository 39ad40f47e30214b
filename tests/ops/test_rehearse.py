"""The play itself, on a place of files; that it also goes well for real is seen elsewhere."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from vitals.ops.deploy import rehearse
from vitals.ops.deploy.staging import Stage
from vitals.ops.release.releases import Build
from vitals.ops.run import git
from vitals.ops.run.steps import Refused

from tests.ops.place import Answers, Place, answering


class Theatre(Place):
    """A place whose broken build does no work, unless the gate is `careless`."""

    careless = False

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        is_broken = '"broken"' in (self.folder / slot).read_text()
        self.broken = {"/items": (500, {})} if is_broken and not self.careless else {}
        with super().reach(slot) as url:
            yield url


@pytest.fixture
def theatre(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    """A repository with a service to rehearse, and where it is played."""
    for name in ("app/main.py", "config/common.env", ".gitignore"):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("build/\n" if name == ".gitignore" else "")
    return Theatre(tmp_path_factory.mktemp("theatre"))


@pytest.fixture
def failing() -> Answers:
    """What the front door's visitors get, beside what is right."""
    return {}


@pytest.fixture(autouse=True)
def staged(
    theatre: Theatre, failing: Answers, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    with ExitStack() as stack:

        def front() -> str:
            slot, _ = theatre.state()
            build = Build(*json.loads((theatre.folder / slot).read_text()))
            return stack.enter_context(answering(build, failing))

        @contextmanager
        def raised(*_: object) -> Iterator[Stage]:
            yield Stage(theatre, front, "nothing real", "nearly all")

        monkeypatch.setattr("vitals.ops.deploy.staging.raised", raised)
        monkeypatch.setattr(
            "vitals.ops.deploy.rehearse.RECORD", repository / "build" / "rehearsal.json"
        )
        monkeypatch.setattr("vitals.ops.deploy.rehearse.ENOUGH_REQUESTS", 8)
        monkeypatch.setattr("vitals.ops.release.releases.FOLDER", repository / "build" / "releases")
        yield


def record() -> dict[str, object]:
    kept: dict[str, object] = json.loads(rehearse.RECORD.read_text())
    return kept


def test_a_rehearsal_that_went_well_is_remembered_for_this_very_tree(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rehearse.rehearse("process") == 0

    kept = record()
    assert (kept["tree"], kept["ok"], kept["mode"]) == (git.tree_hash(), True, "process")
    assert kept["failed"] == 0
    assert "not rehearsed: nearly all" in capsys.readouterr().out


def test_a_broken_build_that_goes_live_fails_the_rehearsal(
    theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    theatre.careless = True

    assert rehearse.rehearse("process") == 1

    assert record()["ok"] is False
    assert "a broken build went live" in capsys.readouterr().out


def test_one_failed_request_fails_the_rehearsal(failing: Answers) -> None:
    failing["/items"] = (503, {"title": "away"})

    assert rehearse.rehearse("process") == 1

    assert record()["ok"] is False


def test_the_last_release_is_where_it_starts_from(repository: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    git.git("add", "--all")
    git.git(*who, "commit", "--quiet", "--message", "first")
    subprocess.run(["git", *who, "tag", "-a", "-m", "1", "v1.0.0"], cwd=repository, check=True)

    rehearse.rehearse("process")

    assert record()["from"] == "v1.0.0"


def test_without_a_repository_there_is_nothing_to_rehearse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vitals.ops.run.git.tree_hash", lambda: None)

    with pytest.raises(Refused, match="no git repository"):
        rehearse.rehearse("process")


@pytest.mark.parametrize("mode", ["none", "kubernetes"])
def test_a_mode_that_can_not_be_rehearsed_is_refused(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODE", mode)

    with pytest.raises(Refused, match="compose or process"):
        rehearse.demanded()


def test_without_a_mode_it_is_the_one_that_a_release_demands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MODE", raising=False)

    assert rehearse.demanded() == "process"
