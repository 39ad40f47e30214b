import os
from pathlib import Path

import pytest

from vitals.ops.deploy import state
from vitals.ops.run.steps import Refused


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    text = f'[project]\nname = "orders"\n[tool.vitals]\nstate = "{tmp_path / "state"}"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_containers_can_read_what_lies_there_whatever_the_umask(umask: int, project: Path) -> None:
    before = os.umask(umask)
    try:
        state.make(folder := state.folder("staging"))
        state.write(folder / "front.json", "{}")
    finally:
        os.umask(before)

    for path in (project / "state", folder, folder / "front.json"):
        assert path.stat().st_mode & 0o004, path


@pytest.mark.usefixtures("project")
def test_a_second_command_is_refused_with_the_name_of_the_first() -> None:
    folder = state.folder("staging")

    with (
        state.alone(folder, "process 7 of ada@host"),
        pytest.raises(Refused, match="staging is being changed: process 7 of ada@host"),
        state.alone(folder, "process 8 of bob@host"),
    ):
        raise AssertionError

    with state.alone(folder, "process 8 of bob@host"):
        pass  # the lock went with its holder


@pytest.mark.usefixtures("project")
def test_two_environments_do_not_wait_for_each_other() -> None:
    with state.alone(state.folder("staging"), "a"), state.alone(state.folder("production"), "b"):
        pass


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("exists", [False, True])
def test_somebody_who_may_not_write_there_gets_the_command_that_helps(
    exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may write everywhere: what the system says to others is given."""
    if exists:
        state.make(state.folder("staging"))
        monkeypatch.setattr("os.access", lambda *_: False)
        monkeypatch.setattr("getpass.getuser", _forbidden)  # a container's user has no name
    else:
        monkeypatch.setattr("pathlib.Path.mkdir", _forbidden)

    with pytest.raises(Refused, match=r"Fix: `sudo install -d -m 2775 .*/state/staging`"):
        state.make(state.folder("staging"))


def _forbidden(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_file_in_the_place_of_the_folder_is_named(project: Path) -> None:
    (project / "state").write_text("")

    with pytest.raises(Refused, match="File exists"):
        state.make(state.folder("staging"))


def test_who_only_reads_makes_nothing(project: Path) -> None:
    state.folder("staging")

    assert not (project / "state").exists()


@pytest.mark.usefixtures("project")
def test_a_pipe_that_is_full_is_not_taken_for_another_command() -> None:
    with pytest.raises(BlockingIOError), state.alone(state.folder("staging"), "a"):
        raise BlockingIOError  # as `print` does where somebody made the pipe non-blocking
