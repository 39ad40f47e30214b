"""What do the tests of ops need?"""

import subprocess
from pathlib import Path

import pytest

from tests.ops import shipping


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository that `ops.git` takes for the project."""
    monkeypatch.setattr("ops.git.ROOT", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


@pytest.fixture
def somebody(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository of somebody whose git knows the name and nothing else."""
    (repository / ".git" / "person").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(repository / ".git" / "person"))
    return repository


@pytest.fixture
def ready(somebody: Path) -> Path:
    """A project with a remote, checked and rehearsed: v0.1.0 may leave."""
    shipping.prepare(somebody)
    return somebody
