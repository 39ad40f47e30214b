"""The real deployment on a real Docker engine."""

import json
import signal
import urllib.request

import pytest

from tests.containers.released import PROJECT, SECRETS, Released, containers, docker

LOOK_INSIDE = """
import os, pathlib
status = dict(l.split(":", 1) for l in pathlib.Path("/proc/self/status").read_text().splitlines())
def writes(path):
    try:
        pathlib.Path(path, "x").write_text("x")
    except OSError:
        return False
    return True
print(os.getuid(), int(status["CapEff"], 16), status["NoNewPrivs"].strip(),
      [path for path in ("/", "/service", "/venv", "/run/secrets", "/tmp") if writes(path)])
"""


@pytest.fixture(scope="module")
def staging(engine: None, released: Released) -> Released:  # noqa: ARG001
    """The released project, with v0.1.0 live."""
    released.remove()  # what a run that was killed left
    done = released.deploy("v0.1.0")
    assert done.returncode == 0, done.stdout
    return released


def served_version() -> str:
    """The version that clients of the proxy get."""
    address = docker("port", f"{PROJECT}-front-1", "80/tcp").split()[0]
    request = urllib.request.Request(
        f"http://{address}/health", headers={"Host": "staging.internal"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["version"]


@pytest.mark.parametrize(
    ("after", "version"),
    [("prepare", "v0.2.0"), ("migrate", "v0.3.0"), ("start", "v0.4.0")],
)
def test_killed_after_a_step_the_old_one_stays_live_until_the_same_command_again(
    after: str, version: str, staging: Released
) -> None:
    before = served_version()
    with staging.start("vitals.ops.deploy.deploy", "deploy", VERSION=version) as process:
        assert process.stdout
        assert any(line.startswith(f"  {after}") for line in process.stdout)
        process.send_signal(signal.SIGKILL)

    assert served_version() == before
    assert staging.live() == before
    again = staging.deploy(version)
    assert again.returncode == 0, again.stdout
    assert served_version() == version
    slots = [name for name in containers(PROJECT) if "-app-" in name]
    assert sorted(slots) == [f"{PROJECT}-app-blue-1", f"{PROJECT}-app-green-1"]


def test_a_rollback_is_one_command_and_the_bad_version_is_refused_afterwards(
    staging: Released,
) -> None:
    for version in ("v0.5.0", "v0.6.0"):
        staging.deploy(version)

    done = staging.run("vitals.ops.deploy.deploy", "rollback")

    assert done.returncode == 0, done.stdout
    assert served_version() == staging.live() == "v0.5.0"
    refused = staging.deploy("v0.6.0")
    assert refused.returncode == 1
    assert "v0.6.0 is marked bad" in refused.stdout


def test_a_version_that_is_not_released_is_refused(staging: Released) -> None:
    before = served_version()

    for version in ("v9.9.9", "main", ""):
        assert staging.deploy(version).returncode == 1

    assert served_version() == before


def test_the_service_can_change_nothing_inside_its_container(staging: Released) -> None:  # noqa: ARG001
    seen = docker("exec", f"{PROJECT}-app-blue-1", "python", "-c", LOOK_INSIDE)

    assert seen == "10001 0 1 ['/tmp']"


def test_docker_inspect_shows_no_secret(staging: Released) -> None:  # noqa: ARG001
    inspected = docker("inspect", *containers(PROJECT))

    assert [name for name, secret in SECRETS.items() if secret in inspected] == []


def test_a_rehearsal_on_the_engine_passes_and_leaves_nothing(staging: Released) -> None:
    done = staging.run("vitals.ops.deploy.rehearse", MODE="compose")

    assert done.returncode == 0, done.stdout
    record = json.loads((staging.project / "build" / "rehearsal.json").read_text())
    assert (record["ok"], record["mode"], record["failed"]) == (True, "compose", 0)
    assert record["from"] == "v0.6.0"
    assert containers("orders-api-rehearsal") == []
