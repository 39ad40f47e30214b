import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.ops.place import Answers, Place, release
from vitals.ops.deploy import deploy
from vitals.ops.release.releases import Release
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

# Kills itself before or after one step of a deployment.
DEPLOYMENT = """
import functools, os, pathlib, signal, sys
from vitals.ops.deploy import deploy
from tests.ops.place import Answers, Place, release
folder, step, moment = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
place = Place(folder)
def killing(do):
    @functools.wraps(do)
    def verb(*given):
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        do(*given)
        os.kill(os.getpid(), signal.SIGKILL)
    return verb
setattr(place, step, killing(getattr(place, step)))
deploy.deploy(place, release("v2", folder / "release"))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place where v1 is live."""
    monkeypatch.setattr(
        "vitals.ops.release.releases.unpacked",
        lambda build, *_: Release(build, tmp_path / build.version, "staging"),
    )
    place = Place(tmp_path / "place")
    for version in ("v1", "v2", "v3"):
        release(version, tmp_path / version)
    deploy.deploy(place, release("v1", tmp_path / "v1"))
    return place


def live(place: Place) -> str:
    return deploy.live(place)[-1].version


def test_a_release_goes_live_beside_the_one_that_is_kept_warm(place: Place, tmp_path: Path) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))

    assert live(place) == "v2"
    assert all(place.running(slot) for slot in place.slots)


@pytest.mark.parametrize("broken", [{"/readyz": (503, {})}, {"/items": (500, {})}])
def test_a_bad_build_is_refused_and_stopped_and_the_old_one_stays_live(
    broken: Answers, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitals.ops.deploy.smoke.READY_SECONDS", 0.1)
    place.broken = broken

    with pytest.raises(Refused, match="what was live is still live"):
        deploy.deploy(place, release("v2", tmp_path / "v2"))

    assert live(place) == "v1"
    assert [place.running(slot) for slot in place.slots] == [True, False]


@pytest.mark.parametrize("step", ["prepare", "migrate"])
def test_a_step_that_fails_before_the_start_leaves_the_warm_one_running(
    step: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Release) -> None:
        raise Refused("no")

    deploy.deploy(place, release("v2", tmp_path / "v2"))
    (tmp_path / "v3" / "migrations").mkdir()
    monkeypatch.setattr(place, step, fail)

    with pytest.raises(Refused, match=f"stopped at {step}"):
        deploy.deploy(place, release("v3", tmp_path / "v3"))

    assert place.folder.joinpath("blue").read_text() == '["v1", "commit-of-v1"]'
    assert live(place) == "v2"


def test_what_is_live_already_is_not_started_again_and_the_warm_one_stays(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    capsys.readouterr()

    deploy.deploy(place, release("v2", tmp_path / "v2"))

    assert capsys.readouterr().out == "v2 is live already: nothing was started\n"
    assert place.folder.joinpath("blue").read_text() == '["v1", "commit-of-v1"]'
    assert len(deploy.live(place)) == 2


def test_what_is_live_by_the_history_and_does_not_work_is_started_again(
    place: Place, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    place.stop("green")

    deploy.deploy(place, release("v2", tmp_path / "v2"))

    assert live(place) == "v2"
    assert place.running(deploy.live(place)[-1].slot)


def test_a_backup_is_made_before_a_schema_changes_and_only_then(
    place: Place, tmp_path: Path
) -> None:
    made: list[str] = []

    def save(release: Release) -> str:
        made.append(release.build.version)
        return "done"

    versions = tmp_path / "v2" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0002.py").touch()
    shutil.copytree(tmp_path / "v2" / "migrations", tmp_path / "v3" / "migrations")

    for version in ("v2", "v3"):
        deploy.deploy(place, release(version, tmp_path / version), save=save)

    assert made == ["v2"]


def test_the_reason_of_a_rollback_is_part_of_the_history(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    monkeypatch.setenv("REASON", "prices were wrong")

    deploy.rollback(place, "staging", lambda _: True)

    assert str(deploy.live(place)[-1]).endswith("v2 is marked bad: prices were wrong")


def test_a_bad_mark_can_be_lifted_and_the_version_deployed_again(
    place: Place, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    deploy.rollback(place, "staging", lambda _: True)

    deploy.lift(place, "v2")

    assert live(place) == "v1"
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    assert live(place) == "v2"
    with pytest.raises(Refused, match="LIFT=v2: not marked bad"):
        deploy.lift(place, "v2")


def test_ctrl_c_leaves_the_old_one_live_and_nothing_half_started(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, "running", interrupt)

    with pytest.raises(KeyboardInterrupt):
        deploy.deploy(place, release("v2", tmp_path / "v2"))

    monkeypatch.undo()
    assert live(place) == "v1"
    assert [place.running(slot) for slot in place.slots] == [True, False]


@pytest.mark.parametrize(
    ("moment", "step", "left_live"),
    [
        ("after", "prepare", "v1"),
        ("before", "start", "v1"),
        ("after", "start", "v1"),
        ("before", "switch", "v1"),
        ("after", "switch", "v2"),
    ],
)
def test_killed_at_a_step_it_leaves_one_live_and_the_same_command_again_succeeds(
    moment: str, step: str, left_live: str, place: Place, tmp_path: Path
) -> None:
    command = [shell.PYTHON, "-c", DEPLOYMENT, str(place.folder), step, moment]
    ours = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    killed = subprocess.run(command, cwd=shell.ROOT, env=ours, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert live(place) == left_live
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    assert live(place) == "v2"
    assert deploy.live(place)[0].version == "v1"


def test_a_rollback_goes_to_the_warm_one_and_marks_the_one_it_leaves(
    place: Place, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    questions: list[str] = []

    deploy.rollback(place, "staging", lambda question: not questions.append(question))

    assert questions == ["staging: go back from v2 to v1, and mark v2 bad?"]
    assert live(place) == "v1"
    assert place.running("green"), "what was left is stopped"
    with pytest.raises(Refused, match="v2 is marked bad"):
        deploy.deploy(place, release("v2", tmp_path / "v2"))


def test_a_rollback_starts_the_previous_one_again_when_it_is_not_warm(
    place: Place, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    place.stop("blue")

    deploy.rollback(place, "staging", lambda _: True)

    assert live(place) == "v1"
    assert place.running("blue")


def test_another_build_in_the_slot_is_not_taken_for_the_warm_one(
    place: Place, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    place.start(release("v3", tmp_path / "v3"), "blue")

    deploy.rollback(place, "staging", lambda _: True)

    assert place.folder.joinpath("blue").read_text() == '["v1", "commit-of-v1"]'


def test_a_rollback_that_is_not_confirmed_changes_nothing(place: Place, tmp_path: Path) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))

    with pytest.raises(Refused, match="not confirmed"):
        deploy.rollback(place, "staging", lambda _: False)

    assert live(place) == "v2"


def test_live_is_refused_where_nothing_is_live(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nothing is live"):
        deploy.live(Place(tmp_path))


@pytest.mark.parametrize("environment", ["", "local", "prod"])
def test_an_environment_that_is_none_is_refused(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENV", environment)
    monkeypatch.setattr("sys.argv", ["deploy", "live"])

    with pytest.raises(Refused, match="staging or production"):
        deploy.main()


def test_the_history_is_printed_oldest_first(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy.deploy(place, release("v2", tmp_path / "v2"))
    monkeypatch.setenv("ENV", "staging")
    monkeypatch.setattr("sys.argv", ["deploy", "live"])
    monkeypatch.setattr("vitals.ops.deploy.targets.of_project", lambda _: place)
    capsys.readouterr()

    deploy.main()

    first, last = capsys.readouterr().out.splitlines()
    assert "v1  deploy by " in first
    assert "v2  deploy by " in last
