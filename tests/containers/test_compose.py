"""The real deployment on a real Docker engine."""

import json
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.baking import wait_until
from tests.containers.released import PROJECT, SECRETS, Released, containers, docker, git

# Images that an engine without a registry has, in place of those that it has not.
STAND_INS = {
    "prom/alertmanager:v0.28.1": "prom/alertmanager:latest",
    "grafana/grafana:12.1.1": "prom/alertmanager:latest",
}
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
        f"http://{address}/health", headers={"Host": "staging.example"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["version"]


def answers() -> bool:
    try:
        return bool(served_version())
    except OSError:
        return False


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


def test_killed_during_the_watch_the_same_command_goes_on_and_the_old_one_is_still_warm(
    staging: Released,
) -> None:
    told_apart = "{{.State.Running}} {{.State.StartedAt}}"
    slots = [f"{PROJECT}-app-{slot}-1" for slot in ("blue", "green")]
    with staging.start(
        "vitals.ops.deploy.deploy", "deploy", VERSION="v0.2.0", WATCH="1"
    ) as process:
        assert process.stdout
        assert any(line.startswith("  switch") for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    before = docker("inspect", "--format", told_apart, *slots)

    listed = staging.run("vitals.ops.deploy.deploy", "live").stdout.splitlines()[-1]
    other = staging.deploy("v0.3.0")
    again = staging.deploy("v0.2.0")

    assert "not watched to its end" in listed
    assert (other.returncode, again.returncode) == (1, 0), other.stdout + again.stdout
    assert "v0.2.0 is live and not watched to its end" in other.stdout
    assert "nothing was started" in again.stdout
    assert "watched to its end: " in again.stdout
    assert docker("inspect", "--format", told_apart, *slots) == before
    assert served_version() == "v0.2.0"


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
    assert [name for name in containers() if "-rehearsal-" in name] == []


def command(staging: Released, clone: Path, *words: str, **given: str) -> str:
    """A command in another clone, with its own .venv left out: it has nothing of its own."""
    done = subprocess.run(
        [staging.project / ".venv" / "bin" / "python", "-m", *words],
        cwd=clone,
        env=staging.environment(PYTHONPATH=str(clone), PYTHONSAFEPATH="1", **given),
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.returncode} {done.stdout}{done.stderr}"


def test_another_clone_deploys_and_its_end_leaves_a_service_that_can_be_started_again(
    staging: Released, tmp_path: Path
) -> None:
    """Everything that belongs to an environment lies in its folder on the host."""
    git(
        tmp_path,
        "clone",
        "--quiet",
        "--branch=main",
        str(staging.project.parent / "origin.git"),
        "second",
    )
    clone = tmp_path / "second"

    deployed = command(staging, clone, "vitals.ops.deploy.deploy", "deploy", VERSION="v0.3.0")

    assert deployed.startswith("0 "), deployed
    assert served_version() == staging.live() == "v0.3.0"
    shutil.rmtree(clone)
    docker("restart", f"{PROJECT}-front-1")
    wait_until(answers, 30)
    assert served_version() == "v0.3.0"


def test_a_second_user_is_told_who_deploys(staging: Released) -> None:
    with staging.start("vitals.ops.deploy.deploy", "deploy", VERSION="v0.4.0") as first:
        assert first.stdout
        assert any(line.startswith("  prepare") for line in first.stdout)
        refused = staging.deploy("v0.4.0")
        first.communicate(timeout=300)

    assert refused.returncode == 1
    assert f"staging is being changed: process {first.pid} of " in refused.stdout
    assert "Traceback" not in refused.stdout


def test_the_live_version_again_starts_nothing(staging: Released) -> None:
    staging.deploy("v0.5.0")
    before = {name: docker("inspect", "--format", "{{.Id}}", name) for name in containers(PROJECT)}

    again = staging.deploy(staging.live())

    assert "nothing was started" in again.stdout
    after = {name: docker("inspect", "--format", "{{.Id}}", name) for name in containers(PROJECT)}
    assert after == before


def test_a_dump_of_staging_can_be_restored_by_the_documented_command(staging: Released) -> None:
    made = staging.run("vitals.ops.deploy.backup")
    assert made.returncode == 0, made.stdout
    [dump] = sorted((staging.state / "staging" / "backups").iterdir())[-1:]
    database = f"{PROJECT}-database-1"
    psql = ("exec", database, "psql", "--username=app", "--tuples-only", "--command")
    docker(*psql, "insert into items (name, price_cents) values ('after the dump', 1)")

    lines = (staging.project / "deploy" / "compose.md").read_text().splitlines()
    restore = next(line for line in lines if "pg_restore" in line)
    done = subprocess.run(
        ["/bin/sh", "-c", restore.strip().replace("FILE", str(dump))],
        env=staging.environment(),
        check=False,
    )

    assert done.returncode == 0
    assert docker(*psql, "select count(*) from items where name = 'after the dump'").strip() == "0"


def test_monitoring_touches_nothing_else(staging: Released) -> None:
    for image, other in STAND_INS.items():
        if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode:
            docker("tag", other, image)
    before = {name: docker("inspect", "--format", "{{.Id}}", name) for name in containers(PROJECT)}
    free = {f"{name}_PORT": "0" for name in ("PROMETHEUS", "ALERTMANAGER", "GRAFANA")}

    done = staging.run("vitals.ops.deploy.monitor", **free)

    assert done.returncode == 0, done.stdout
    after = {name: docker("inspect", "--format", "{{.Id}}", name) for name in containers(PROJECT)}
    assert after.keys() - before.keys() == {
        f"{PROJECT}-{name}-1" for name in ("prometheus", "alertmanager", "grafana")
    }
    assert {name: after[name] for name in before} == before
    assert served_version() == staging.live()
