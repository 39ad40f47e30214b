"""A newer PostgreSQL in compose.yaml loses no data, and the documented step moves them."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.containers.released import Released, commit, docker

NAME = "ledger"
PROJECT = f"{NAME}-staging"
DATABASE, VOLUME = f"{PROJECT}-database-1", f"{PROJECT}_database"
SEVENTEEN = {
    "postgres:18": "postgres:17",
    '"database:/var/lib/postgresql"': '"database:/var/lib/postgresql/data"',
}
TEXT = "written on 17"


@pytest.fixture(scope="module")
def staging(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:  # noqa: ARG001
    """A staging that began with 17; its next release names 18."""
    released = Released(tmp_path_factory.mktemp("postgres"), project_slug=NAME)
    released.remove([PROJECT])  # what a run that was killed left
    compose = released.project / "deploy" / "compose.yaml"
    now = before = compose.read_text()
    for there, then in SEVENTEEN.items():
        assert there in before
        before = before.replace(there, then)
    for version, text in {"v0.1.0": before, "v0.2.0": now}.items():
        compose.write_text(text)
        commit(released.project, version)
        released.release(version)
    done = released.deploy("v0.1.0")
    assert done.returncode == 0, done.stdout
    psql(f"insert into items (name, price_cents) values ('{TEXT}', 1)")
    yield released
    released.remove([PROJECT])


def psql(statement: str) -> str:
    words = ("psql", "--username=app", "--tuples-only", "--no-align", "--command", statement)
    return docker("exec", DATABASE, *words)


def found() -> tuple[str, str]:
    """The major version of the server, and the item."""
    return psql("show server_version").split(".")[0], psql("select name from items")


def test_a_server_that_runs_goes_on_with_its_data_and_each_deployment_says_so(staging: Released):
    done = staging.deploy("v0.2.0")

    assert done.returncode == 0, done.stdout
    assert f"{DATABASE} goes on with postgres:17, not postgres:18: deploy/compose.md" in done.stdout
    assert found() == ("17", TEXT)


def test_without_its_server_its_data_are_refused_and_an_earlier_version_reads_them(
    staging: Released,
):
    docker("rm", "--force", DATABASE)

    refused = staging.deploy("v0.2.0")

    assert refused.returncode == 1, refused.stdout
    assert f"{VOLUME} holds no data that the image of compose.yaml can read" in refused.stdout
    again = staging.deploy("v0.1.0")
    assert again.returncode == 0, again.stdout
    assert found() == ("17", TEXT)


def test_the_documented_commands_move_the_data(staging: Released):
    text = (staging.project / "deploy" / "compose.md").read_text()
    section = text.partition("## Another version of PostgreSQL")[2].partition("\n## ")[0]
    commands = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert len(commands) == 9

    file = ""
    for command in commands:
        secrets = command.replace(f"/etc/{NAME}/staging", str(staging.secrets))
        done = subprocess.run(
            ["/bin/sh", "-c", secrets.replace("FILE", file)],
            cwd=staging.project,
            env=staging.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        file = file or done.stdout.partition("wrote ")[2].strip()

    assert found() == ("18", TEXT)
    assert staging.deploy("v0.2.0").returncode == 0
    assert found() == ("18", TEXT)
    assert docker("exec", DATABASE, "cat", "/var/lib/postgresql/17/PG_VERSION") == "17"
