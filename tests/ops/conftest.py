"""Projects and repositories for the tests of ops."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ops import shipping
from vitals.ops.release import release


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository that `vitals.ops.run.git` takes for the project."""
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


@pytest.fixture
def somebody(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository of a person whose git has a name and no other setting."""
    shipping.work_in(repository, monkeypatch)
    return repository


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `ready` is a copy of: some twenty runs of git make it."""
    project = tmp_path_factory.mktemp("prepared")
    subprocess.run(["git", "init", "--quiet", project], check=True)
    with pytest.MonkeyPatch.context() as patched:
        shipping.work_in(project, patched)
        shipping.prepare(project)
    return project


@pytest.fixture(scope="session")
def sent(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `released` is a copy of."""
    project = tmp_path_factory.mktemp("sent")
    shutil.copytree(prepared, project, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patched:
        shipping.work_in(project, patched)
        assert release.release("minor", dry=False, unasked=True) == 0
    return project


@pytest.fixture
def ready(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a remote, checked and rehearsed: v0.1.0 may leave."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    shipping.work_in(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def released(sent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose first version left just now."""
    shutil.copytree(sent, tmp_path, dirs_exist_ok=True)
    shipping.work_in(tmp_path, monkeypatch)
    return tmp_path
