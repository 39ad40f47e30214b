"""A Docker engine, which these tests need, with the images that deploy/ names."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.containers.released import Released, commit


@pytest.fixture(scope="session")
def engine() -> None:
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nFix: start a Docker engine, set DOCKER_HOST"


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    """A project with a remote that has v0.1.0 to v0.6.0, set up."""
    released = Released(tmp_path_factory.mktemp("released"))
    for number in range(1, 7):
        commit(released.project, f"Release {number}")
        released.release(f"v0.{number}.0")
    yield released
    released.remove()
