import subprocess
from pathlib import Path

import pytest

from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import git
from vitals.ops.run.steps import Refused

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


@pytest.fixture
def released(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose v1.0.0 is on its remote; its files are unpacked beside it."""
    remote = tmp_path_factory.mktemp("remote")
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    git.git("remote", "add", "origin", str(remote))
    (repository / "config").mkdir()
    (repository / "config" / "common.env").write_text("APP_ALLOWED_HOSTS=*.orders.internal,b\n")
    (repository / "config" / "staging.env").write_text("APP_OPS_TOKEN=secret://ops_token\n")
    git.git("add", "--all")
    git.git(*WHO, "commit", "--quiet", "--message", "first")
    tag("v1.0.0")
    git.git("push", "--quiet", "origin", "v1.0.0")
    return repository


@pytest.fixture(autouse=True)
def unpacked_aside(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr("vitals.ops.release.releases.FOLDER", tmp_path_factory.mktemp("releases"))


def tag(version: str) -> None:
    git.git(*WHO, "tag", "--annotate", "--message", version, version)


@pytest.mark.usefixtures("released")
def test_a_released_version_is_unpacked_with_its_own_configuration() -> None:
    release = releases.released("v1.0.0", "staging")

    assert release.build == Build("v1.0.0", git.git("rev-parse", "HEAD"))
    assert releases.host(release) == "orders.internal"
    assert releases.secret_files(release) == {"APP_OPS_TOKEN": "ops_token"}


@pytest.mark.usefixtures("released")
def test_a_version_that_is_not_local_is_fetched() -> None:
    git.git("tag", "--delete", "v1.0.0")

    assert releases.released("v1.0.0", "staging").build.version == "v1.0.0"


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("version", ["", "main", "1.0.0", "v1.0", "v2.0.0"])
def test_what_was_not_released_is_refused(version: str) -> None:
    with pytest.raises(Refused):
        releases.released(version, "staging")


@pytest.mark.usefixtures("released")
def test_a_version_that_is_only_local_is_refused() -> None:
    tag("v2.0.0")

    with pytest.raises(Refused, match=r"v2\.0\.0 is not on origin"):
        releases.released("v2.0.0", "staging")


@pytest.mark.usefixtures("released")
def test_a_version_that_was_moved_locally_is_refused() -> None:
    git.git(*WHO, "commit", "--quiet", "--allow-empty", "--message", "second")
    git.git("tag", "--delete", "v1.0.0")
    tag("v1.0.0")

    with pytest.raises(Refused, match="is not the remote's tag"):
        releases.released("v1.0.0", "staging")


def test_the_last_version_is_the_newest_that_this_history_holds(released: Path) -> None:
    assert releases.last_version() == "v1.0.0"
    subprocess.run(["git", "checkout", "--quiet", "--orphan", "other"], cwd=released, check=True)
    git.git(*WHO, "commit", "--quiet", "--message", "another history")

    assert releases.last_version() is None


@pytest.mark.usefixtures("repository")
def test_before_the_first_commit_there_is_no_last_version() -> None:
    assert releases.last_version() is None


def test_without_allowed_hosts_the_host_is_this_machine(tmp_path: Path) -> None:
    assert releases.host(Release(Build("v1", "c"), tmp_path, "staging")) == "localhost"
