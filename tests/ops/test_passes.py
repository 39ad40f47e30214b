"""A stored pass counts only for the very same inputs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vitals.ops.check import check, passes
from vitals.ops.run.steps import Refused

COUNTING = "with open('build/ran', 'a') as file: file.write('x')"


@pytest.fixture
def project(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose one step counts how often it runs, in a file that git ignores."""
    files = {".gitignore": "build/\n", "pyproject.toml": "", "app/a.py": "a = 1", "README.md": ""}
    for name, text in files.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(text)
    subprocess.run(["git", "add", "--all"], cwd=repository, check=True)
    (repository / "build").mkdir()
    monkeypatch.setattr(check, "STEPS", {"types": [COUNTING]})
    monkeypatch.setattr(check, "_call", lambda line: [sys.executable, "-c", line])
    return repository


def runs(project: Path) -> int:
    ran = project / "build" / "ran"
    return len(ran.read_text()) if ran.exists() else 0


def stored(project: Path) -> list[Path]:
    return list((project / "build" / "passes").glob("*"))


def test_an_unchanged_step_is_not_run_again_and_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.everything() == check.everything() == 0

    assert runs(project) == 1
    assert "types  ok (unchanged)" in capsys.readouterr().out
    recorded = json.loads((project / "build" / "check.json").read_text())
    assert recorded["ok"] is True
    assert recorded["steps"][0]["unchanged"] is True


CHANGES: dict[str, Callable[[Path], object]] = {
    "an edited file": lambda project: (project / "app/a.py").write_text("a = 2"),
    "an untracked new file": lambda project: (project / "app/b.py").write_text(""),
    "a deleted file": lambda project: (project / "app/a.py").unlink(),
    "a file outside of the code": lambda project: (project / "data").write_text("1"),
    "a right to run": lambda project: (project / "app/a.py").chmod(0o755),
    "a link in place of its file": lambda project: _link(project / "app/a.py"),
    "a name that is no text": lambda project: _odd(project),
}


def _link(file: Path) -> None:
    file.rename(file.parents[1] / "build/elsewhere")
    file.symlink_to("../build/elsewhere")


def _odd(project: Path) -> None:
    Path(os.fsdecode(os.fsencode(project) + b"/\xff.py")).touch()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_runs_the_step_again(change: Callable[[Path], object], project: Path) -> None:
    check.everything()

    change(project)
    check.everything()
    check.everything()

    assert runs(project) == 2


def test_what_a_link_leads_to_is_an_input_wherever_it_is(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("outside") / "data"
    elsewhere.write_text("1")
    (project / "data").symlink_to(elsewhere)
    check.everything()

    elsewhere.write_text("2")
    check.everything()

    assert runs(project) == 2


def test_with_a_folder_behind_a_link_nothing_is_stored(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (project / "data").symlink_to(tmp_path_factory.mktemp("outside"))

    assert check.everything() == check.everything() == 0

    assert runs(project) == 2
    assert stored(project) == []


@pytest.mark.parametrize("name", ["APP_DOCS", "TEST_CACHE_URL", "PYTHONHASHSEED", "TZ", "OWN"])
def test_a_changed_variable_of_the_environment_runs_the_step_again(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(check.DEPENDS_ON, "integration", str)
    check.everything()

    monkeypatch.setenv(name, "7")
    check.everything()

    assert runs(project) == 2


def test_another_terminal_or_make_changes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check.everything()

    for name in ("MAKEFLAGS", "MAKELEVEL", "TERM", "COLUMNS", "OLDPWD", "SHLVL"):
        monkeypatch.setenv(name, "7")
    check.everything()

    assert runs(project) == 1


@pytest.mark.parametrize(
    "place", ["sys.version", "sys.executable", "os.uname", "vitals.ops.check.passes._packages"]
)
def test_another_python_machine_or_package_runs_the_step_again(
    place: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check.everything()
    assert runs(project) == 1

    value = "another" if place.startswith("sys") else lambda: ["another"]
    monkeypatch.setattr(place, value)
    inputs = passes.Inputs()

    assert passes.find(check._key("types", inputs)) is None


def test_a_pass_of_another_folder_does_not_count(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    check.everything()
    copy = tmp_path_factory.mktemp("copy") / "project"
    subprocess.run(["cp", "-r", project, copy], check=True)

    monkeypatch.setattr("vitals.ops.run.shell.ROOT", copy)
    check.everything()

    assert runs(copy) == 2


def test_a_failed_step_is_never_stored(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "STEPS", {"types": [COUNTING, "raise SystemExit(1)"]})

    assert check.everything() == check.everything() == 1

    assert runs(project) == 2
    assert stored(project) == []


def test_a_step_whose_inputs_change_while_it_runs_is_not_stored(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "STEPS", {"types": ["open('app/a.py', 'a').write('#')"]})

    check.everything()

    assert stored(project) == []


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"key": 1}', '{"at": "x", "key": "y"}'])
def test_a_corrupt_pass_is_run_and_written_again(text: str, project: Path) -> None:
    check.everything()
    (file,) = stored(project)
    file.write_text(text)

    assert check.everything() == check.everything() == 0

    assert runs(project) == 2


def test_the_pass_of_another_key_does_not_count(project: Path) -> None:
    check.everything()
    (file,) = stored(project)
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"key": "0" * 64}))

    check.everything()

    assert runs(project) == 2


@pytest.mark.parametrize("moved_by", [-3600, passes.LAST_SECONDS + 1])
def test_a_pass_of_the_future_or_of_last_week_does_not_count(
    moved_by: float, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check.everything()
    (file,) = stored(project)
    at = json.loads(file.read_text())["at"]

    monkeypatch.setattr("time.time", lambda: at + moved_by)
    check.everything()

    assert runs(project) == 2


def test_fresh_runs_everything(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check.everything()

    monkeypatch.setenv("FRESH", "1")
    check.everything()

    assert runs(project) == 2


def test_a_step_alone_always_runs(project: Path) -> None:
    check.everything()

    assert check.alone("types") == 0

    assert runs(project) == 2


def test_documents_are_no_input_of_steps_that_read_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "STEPS", {"types": [COUNTING], "unit": [COUNTING]})
    check.everything()

    (project / "README.md").write_text("# A title")
    check.everything()

    assert runs(project) == 3
    (project / "app/page.md").write_text("a text that the service may read")
    check.everything()
    assert runs(project) == 5


def test_old_passes_go_and_two_runs_at_once_do_not_harm_each_other(project: Path) -> None:
    keys = [f"{number:064}" for number in range(passes.MOST + 50)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: passes.store(key, "said"), keys))
    passes.store(keys[0], "said")

    assert len(stored(project)) <= passes.MOST
    assert passes.find(keys[0]) == "said"


def test_the_version_of_a_given_server_is_an_input_and_without_an_answer_the_step_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter(["17", "17", "18", "18"])
    monkeypatch.setattr(check, "STEPS", {"integration": [COUNTING]})
    monkeypatch.setitem(check.DEPENDS_ON, "integration", lambda: next(versions))
    check.everything()
    check.everything()
    assert runs(project) == 2

    def away() -> str:
        raise Refused("no answer")

    monkeypatch.setitem(check.DEPENDS_ON, "integration", away)
    check.everything()
    check.everything()
    assert runs(project) == 4


def test_in_a_repository_that_git_does_not_read_nothing_is_stored_or_found(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    assert passes.Inputs().key("types") is None
    with pytest.raises(Refused):
        check.everything()
    assert runs(project) == 0


@pytest.mark.parametrize("step", ["schema", "api", "notes"])
def test_a_new_tag_or_commit_is_an_input_of_steps_that_look_at_releases(
    step: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "STEPS", {step: [COUNTING]})
    (project / "pyproject.toml").write_text('[tool.vitals]\nmetadata = "app.tables:metadata"')
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    check.everything()

    subprocess.run(["git", *who, "commit", "-q", "-a", "-m", "x"], cwd=project, check=True)
    check.everything()
    subprocess.run(["git", "tag", "v0.1.0"], cwd=project, check=True)
    check.everything()
    check.everything()

    assert runs(project) == 3


def test_without_a_repository_passes_count_too(project: Path) -> None:
    (project / ".git").rename(project / "build" / "git")

    check.everything()
    check.everything()
    (project / "app/b.py").touch()
    check.everything()

    assert runs(project) == 2
