"""A project to update, and git as on another machine."""

import shutil
from pathlib import Path

import pytest

from tests.update.versions import NOW, started


@pytest.fixture(autouse=True, scope="module")
def _git_as_a_strangers(tmp_path_factory):
    config = tmp_path_factory.mktemp("git") / "gitconfig"
    config.write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@pytest.fixture
def project(tmp_path) -> Path:
    """A project of NOW, committed as it was generated."""
    shutil.copytree(started(NOW), tmp_path / "orders-api", symlinks=True)
    return tmp_path / "orders-api"
