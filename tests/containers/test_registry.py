"""A deployment by digest from a real registry on this machine."""

import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import baking
from tests.containers.released import PROJECT, Released, commit, containers, docker, git


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of an empty registry."""
    address = f"127.0.0.1:{baking.free_port()}"
    configuration = tmp_path / "registry.yml"
    configuration.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path / 'images'}}}}}\n"
        f"http: {{addr: {address}}}\nlog: {{level: error}}\n"
    )
    command = ["docker-registry", "serve", configuration]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serving:
        baking.wait_until(lambda: answers(address), 30)
        yield address
        serving.terminate()


@pytest.fixture
def staging(engine: None, registry: str, tmp_path: Path) -> Iterator[Released]:  # noqa: ARG001
    """A project whose image lies in the registry, with v0.1.0 released and not built yet."""
    staging = Released(tmp_path)
    staging.remove()
    table = staging.project / "pyproject.toml"
    named = f'[tool.vitals]\nimage = "{registry}/orders-api"\n'
    table.write_text(table.read_text().replace("[tool.vitals]\n", named))
    commit(staging.project, "Name the image")
    staging.release("v0.1.0")
    yield staging
    staging.remove()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
            return True
    except OSError:
        return False


def build(staging: Released, image: str, commit: str) -> str:
    """Build and push an image as the release's workflow does; return its digest."""
    given = ("--build-arg", "VERSION=v0.1.0", "--build-arg", f"COMMIT={commit}")
    file = str(staging.project / "deploy" / "Dockerfile")
    docker("build", "--quiet", "--file", file, *given, "--tag", image, str(staging.project))
    docker("push", "--quiet", image)
    return docker("inspect", "--format", "{{index .RepoDigests 0}}", image).rpartition("@")[2]


def test_what_the_release_built_is_what_runs_and_another_commit_is_refused(
    staging: Released, registry: str
) -> None:
    image = f"{registry}/orders-api"
    missing = staging.deploy("v0.1.0")
    other = build(staging, f"{image}:other", "0" * 40)
    right = build(staging, f"{image}:v0.1.0", git(staging.project, "rev-parse", "HEAD"))

    refused = staging.run("vitals.ops.deploy.deploy", "deploy", VERSION="v0.1.0", DIGEST=other)
    done = staging.deploy("v0.1.0")

    assert missing.returncode == refused.returncode == 1
    assert "orders-api manifests/v0.1.0" in missing.stdout
    assert f"was built from {'0' * 40}" in refused.stdout
    assert done.returncode == 0, done.stdout
    [slot] = [name for name in containers(PROJECT) if "-app-" in name]
    assert docker("inspect", "--format", "{{.Config.Image}}", slot) == f"{image}@{right}"
    live = staging.run("vitals.ops.deploy.deploy", "live").stdout
    assert f"{image}@{right}" in live
