import os
from pathlib import Path

import pytest

from vitals.ops.deploy import backup
from vitals.ops.release.releases import Build, Release
from vitals.ops.run.steps import Refused


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "compose.yaml").touch()
    return tmp_path


def runs(project: Path, command: str) -> str:
    state = project / "state"
    text = (
        f"[project]\nname = 'orders'\n[tool.vitals]\nstate = '{state}'\nbackup = '''{command}'''\n"
    )
    (project / "pyproject.toml").write_text(text)
    return backup.run(Release(Build("v1.2.0", "c"), project, "staging"))


def docker(project: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """Put a program in Docker's place, on a project without a backup command of its own."""
    program = project / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    runs(project, "")


def test_the_command_gets_the_environment_and_its_words_are_in_no_log(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert runs(project, "echo secret $ENV > made; echo secret") == "done"

    assert (project / "made").read_text() == "secret staging\n"
    assert "secret" not in "".join(capfd.readouterr())


def test_a_backup_that_fails_stops_the_deployment_without_its_words(project: Path) -> None:
    with pytest.raises(Refused, match="the backup ended with 7") as refused:
        runs(project, "echo secret; exit 7")

    assert refused.value.output == ""


@pytest.mark.parametrize("command", ["", "exit 3"])
def test_where_there_is_none_that_is_said(command: str, project: Path) -> None:
    assert runs(project, command).startswith("no backup command")


def test_three_dumps_stay_and_only_their_owner_reads_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(project, monkeypatch, "echo dumped")
    times = iter(f"2026-01-0{day}" for day in range(1, 6))
    monkeypatch.setattr("vitals.ops.deploy.history.now", lambda: next(times))

    made = [backup.dump("staging") for _ in range(5)]

    assert sorted(made[0].parent.iterdir()) == made[2:]
    assert {file.stat().st_mode & 0o777 for file in made[2:]} == {0o600}
    assert made[-1].read_text() == "dumped\n"


def test_a_dump_that_fails_leaves_no_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(project, monkeypatch, "echo half; exit 1")

    with pytest.raises(Refused, match="pg_dump in orders-staging-database-1 ended with 1"):
        backup.dump("staging")

    assert list((project / "state" / "staging" / "backups").iterdir()) == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("environment", ["production", ""])
def test_the_shipped_command_has_none_for_others(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENV", environment)

    assert backup.main() == backup.NONE


def test_without_docker_no_empty_dump_stays_in_place_of_an_older_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(project, monkeypatch, "")
    monkeypatch.setenv("PATH", str(project))

    with pytest.raises(Refused, match="no program docker"):
        backup.dump("staging")

    assert list(project.rglob("*.dump")) == []
