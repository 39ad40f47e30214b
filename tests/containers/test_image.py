"""The image: its contents, its user, its health check."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.baking import IN_PLACE, generate, wait_until
from tests.containers.released import docker

CANARY = "canary-5a1f0e7c93"
NAME, NAMELESS = "vitals-test-image:v1.2.0", "vitals-test-image:nameless"
KEPT = "sqlite:////tmp/kept.db"


@pytest.fixture(scope="module")
def image(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001
    """An image that is built from a folder with secrets in it."""
    project = generate(tmp_path_factory.mktemp("image"))
    for name in (".env", "local.db", "secrets/ops_token", "config/secret.env", "app/.env"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(CANARY)
    build = ("build", "--quiet", "--file", f"{project}/deploy/Dockerfile", str(project))
    docker(*build, "--tag", NAME, "--build-arg", "VERSION=v1.2.0", "--build-arg", "COMMIT=c0ffee")
    docker(*build, "--tag", NAMELESS)
    yield NAME
    docker("image", "rm", "--force", NAME, NAMELESS)


@pytest.fixture
def container(image: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A running container with the database that the test names."""
    hardened = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    settings = ["APP_ENVIRONMENT=test", f"APP_DATABASE_URL={request.param}"]
    given = [word for setting in settings for word in ("--env", setting)]
    name = docker("run", "--detach", *hardened, *given, image)
    yield name
    docker("rm", "--force", name)


def reports_healthy(container: str) -> bool:
    """Run the image's own health check, as the engine does."""
    command = json.loads(docker("inspect", container))[0]["Config"]["Healthcheck"]["Test"]
    assert command[0] == "CMD", "no shell is needed"
    done = subprocess.run(
        ["docker", "exec", container, *command[1:]], capture_output=True, check=False
    )
    return done.returncode == 0


def answers(container: str) -> bool:
    ask = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez')"
    done = subprocess.run(
        ["docker", "exec", container, "python", "-c", ask], capture_output=True, check=False
    )
    return done.returncode == 0


def test_a_secret_that_lies_in_the_folder_gets_into_no_layer(image: str, tmp_path: Path) -> None:
    docker("save", "--output", str(tmp_path / "image.tar"), image)

    found = subprocess.run(["grep", "-c", CANARY, tmp_path / "image.tar"], check=False)

    assert found.returncode == 1


def test_without_version_and_commit_it_does_not_start(image: str) -> None:  # noqa: ARG001
    done = subprocess.run(
        ["docker", "run", "--rm", "--env", "APP_ENVIRONMENT=staging", NAMELESS],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "APP_VERSION" in done.stderr
    assert "APP_COMMIT" in done.stderr


@pytest.mark.parametrize("container", [KEPT], indirect=True)
def test_it_is_healthy_once_its_database_is(container: str) -> None:
    wait_until(lambda: answers(container), within_seconds=30)
    assert not reports_healthy(container), "the schema is not there yet"

    docker("exec", container, "python", "-m", "alembic", "upgrade", "head")

    wait_until(lambda: reports_healthy(container), within_seconds=30)


@pytest.mark.parametrize("container", ["postgresql://a:b@127.0.0.1:1/c"], indirect=True)
def test_a_503_is_unhealthy(container: str) -> None:
    wait_until(lambda: answers(container), within_seconds=30)

    assert not reports_healthy(container)


@pytest.mark.parametrize("container", [KEPT], indirect=True)
def test_nothing_that_builds_or_installs_is_left_of_the_build(container: str) -> None:
    found = "import shutil; print([p for p in ('gcc', 'cc', 'make', 'uv') if shutil.which(p)])"
    assert docker("exec", container, "python", "-c", found) == "[]"
    assert "pip" not in docker("exec", container, "ls", "/venv/bin").split()
    assert docker("inspect", "--format", "{{.Config.User}}", container) == "10001:10001"


def test_the_bytecode_is_compiled_in(image: str) -> None:
    look = "import pathlib; print(len(list(pathlib.Path('/service/app').rglob('*.pyc'))) > 10)"
    assert docker("run", "--rm", image, "python", "-c", look) == "True"


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, IN_PLACE / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")
