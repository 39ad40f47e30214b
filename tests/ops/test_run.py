import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from vitals.ops.project import serve
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def test_a_taken_port_is_refused_with_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", shell.free_port())) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(Refused) as refused:
            serve.refuse_taken(port)

    assert str(refused.value) == (
        f"port {port}: address already in use. "
        f"Fix: stop what listens there, or `make run PORT={port + 1}`"
    )


@pytest.mark.parametrize("given", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", given)

    with pytest.raises(Refused, match="a number from 1 to 65535"):
        serve.port()


def test_without_a_port_it_is_8000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)

    assert serve.port() == 8000


APP = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("{} on", os.environ["APP_PORT"], os.environ["APP_ENVIRONMENT"], flush=True)
time.sleep(60)  # it serves until it is ended, as it is in each test
"""
MIGRATES = 'import os; print("migrated", os.environ["APP_ENVIRONMENT"])'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an Alembic and a service of its own, in a folder with blanks."""
    project = tmp_path / "größe two"
    shutil.copytree(shell.ROOT / "vitals", project / "vitals")
    for name, text in {
        "alembic.py": MIGRATES,
        "app/__main__.py": APP.format("one"),
        "migrations/a.py": "",
    }.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    return project


class RunningService(NamedTuple):
    program: shell.Program
    port: int
    log: Path

    def says(self, line: str) -> bool:
        return self.program.wait_until(lambda: line in self.log.read_text(), within_seconds=10)

    def says_after(self, line: str, file: Path, text: str) -> bool:
        """Write the file until the line comes: the watcher may start after the service."""
        return any(file.write_text(text) and self.says(line) for _ in range(3))


@contextmanager
def running(project: Path) -> Iterator[RunningService]:
    port, log = shell.free_port(), project.parent / "log"
    command = [shell.PYTHON, "-m", "vitals.ops.project.serve"]
    environment = {"PORT": str(port), "PYTHONUNBUFFERED": "1"}
    with (
        log.open("wb") as output,
        shell.Program(command, environment=environment, output=output, folder=project) as program,
    ):
        yield RunningService(program, port, log)


def test_a_change_migrates_and_restarts_the_service_and_ctrl_c_ends_it_well(project: Path) -> None:
    with running(project) as service:
        assert service.says(f"migrated local\none on {service.port} local")
        another = f"migrated local\nanother on {service.port} local"
        # of one length and second, two could be one .pyc
        assert service.says_after(another, project / "app" / "__main__.py", APP.format("another"))
        assert service.program.stop() == 0


def test_while_a_migration_fails_no_service_starts(project: Path) -> None:
    (project / "alembic.py").write_text("raise SystemExit('no such table')")

    with running(project) as service:
        assert service.says("no such table")
        (project / "alembic.py").write_text(MIGRATES)
        assert service.says_after("one on", project / "migrations" / "a.py", "repaired = True")

        assert service.log.read_text().count("one on") == 1


def test_an_environment_that_is_given_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_ENVIRONMENT", "test")

    with running(project) as service:
        assert service.says(f"migrated test\none on {service.port} test")
