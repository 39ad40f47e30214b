import json
from pathlib import Path

import pytest

from vitals.ops.deploy import history
from vitals.ops.deploy.targets.compose import Compose
from vitals.ops.release.releases import Build, Release
from vitals.ops.run.shell import Finished
from vitals.ops.run.steps import Refused


class Docker:
    """Stands in for Docker: records each command, and answers as a test says."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.answers: dict[str, str] = {}
        self.given: dict[str, str] = {}

    def check_output(
        self, command: list[str | Path], environment: dict[str, str] | None = None
    ) -> str:
        self.given |= environment or {}
        line = " ".join(map(str, command))
        self.ran.append(line)
        return next((said for start, said in self.answers.items() if line.startswith(start)), "")

    def run(self, command: list[str | Path]) -> Finished:
        return Finished(0, self.check_output(command))


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    docker = Docker()
    monkeypatch.setattr("vitals.ops.run.shell.check_output", docker.check_output)
    monkeypatch.setattr("vitals.ops.run.shell.run", docker.run)
    monkeypatch.setattr("vitals.ops.deploy.targets.compose.project_name", lambda: "orders")
    return docker


@pytest.fixture
def release(tmp_path: Path) -> Release:
    for folder in ("config", "deploy", "secrets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "staging.env").write_text("APP_OPS_TOKEN=secret://ops_token\n")
    front = {
        "apps": {
            "http": {"servers": {"front": {"listen": [":80"], "routes": [{"handle": ["proxy"]}]}}}
        }
    }
    (tmp_path / "deploy" / "caddy.json").write_text(json.dumps(front))
    return Release(Build("v1.2.0", "c0ffee"), tmp_path, "staging")


def compose(folder: Path, **given: str) -> Compose:
    return Compose("orders-staging", folder, {"SECRETS": str(folder / "secrets"), **given})


def test_the_proxy_is_started_once_and_left_as_it_is(
    docker: Docker, release: Release, tmp_path: Path
) -> None:
    (tmp_path / "secrets" / "ops_token").write_text("x")

    compose(tmp_path).open(release)

    assert "--project-name orders-staging --profile staging up" in docker.ran[-1]
    assert docker.ran[-1].endswith("--no-recreate")
    assert docker.given["IMAGE"] == "orders:v1.2.0"
    assert docker.given["ENVIRONMENT"] == "staging"


def test_a_missing_secret_is_named_before_anything_is_started(
    docker: Docker, release: Release, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="ops_token"):
        compose(tmp_path).open(release)

    assert docker.ran == []


@pytest.mark.usefixtures("docker")
def test_a_domain_is_served_over_tls(release: Release, tmp_path: Path) -> None:
    (tmp_path / "secrets" / "ops_token").write_text("x")

    compose(tmp_path, DOMAIN="orders.internal").open(release)

    front = json.loads((tmp_path / "front.json").read_text())["apps"]["http"]["servers"]["front"]
    assert front == {
        "listen": [":443"],
        "routes": [{"handle": ["proxy"], "match": [{"host": ["orders.internal"]}]}],
    }


def test_another_domain_is_applied_by_a_proxy_that_starts_anew_and_the_same_one_changes_nothing(
    docker: Docker, release: Release, tmp_path: Path
) -> None:
    (tmp_path / "secrets" / "ops_token").write_text("x")
    plain = (tmp_path / "deploy" / "caddy.json").read_text()
    docker.answers = {"docker ps": "orders-staging-front-1\n", "docker exec": plain}
    compose(tmp_path, DOMAIN="orders.internal").open(release)
    first = list(docker.ran)
    docker.ran.clear()

    compose(tmp_path, DOMAIN="orders.internal").open(release)
    compose(tmp_path).open(release)

    assert first[-1].endswith("--no-deps --force-recreate front")
    assert not any("--force-recreate" in line for line in docker.ran)
    assert "orders.internal" in (tmp_path / "front.json").read_text()


def test_the_domain_of_a_proxy_that_a_clone_configured_is_carried_over(
    docker: Docker, release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secrets" / "ops_token").write_text("x")
    docker.answers = {
        "docker ps": "orders-staging-front-1\n",
        "docker exec orders-staging-front-1 cat": '{"its": "own"}',
    }

    compose(tmp_path).open(release)

    assert (tmp_path / "front.json").read_text() == '{"its": "own"}'
    assert "docker rm --force orders-staging-front-1" in capsys.readouterr().out


def test_an_image_by_digest_is_pulled_and_run_and_never_built(
    docker: Docker, release: Release, tmp_path: Path
) -> None:
    pinned = release._replace(image="registry.example/orders@sha256:0a")

    compose(tmp_path).prepare(pinned)
    compose(tmp_path).start(pinned, "blue")

    assert docker.ran[0] == "docker pull --quiet registry.example/orders@sha256:0a"
    assert docker.given["IMAGE"] == "registry.example/orders@sha256:0a"
    assert not any("docker build" in line for line in docker.ran)


def test_what_is_live_what_is_warm_and_one_more_stay_on_the_host(
    docker: Docker, tmp_path: Path
) -> None:
    for number in range(1, 6):
        (tmp_path / "releases" / f"v{number}-c0ffee").mkdir(parents=True)
    entries = [history.Entry("deploy", f"v{n}", "c0ffee", "blue") for n in range(1, 6)]

    compose(tmp_path).tidy(entries)

    assert sorted(path.name[:2] for path in (tmp_path / "releases").iterdir()) == ["v3", "v4", "v5"]
    assert sorted(docker.ran) == ["docker image rm orders:v1", "docker image rm orders:v2"]


def test_a_rehearsal_keeps_its_files_and_images_until_its_end(
    docker: Docker, tmp_path: Path
) -> None:
    (tmp_path / "overlay.json").touch()
    rehearsed = compose(tmp_path)
    rehearsed.releases = None

    rehearsed.tidy([history.Entry("deploy", f"v{n}", "c0ffee", "blue") for n in range(1, 6)])

    assert (tmp_path / "overlay.json").exists()
    assert docker.ran == []


def test_nothing_is_live_where_there_is_no_proxy(docker: Docker, tmp_path: Path) -> None:
    docker.answers = {"docker ps": "another-front-1\n"}

    assert compose(tmp_path).state() == ("", "")


def test_what_is_live_is_read_from_the_proxy(docker: Docker, tmp_path: Path) -> None:
    docker.answers = {
        "docker ps": "orders-staging-front-1\n",
        "docker exec orders-staging-front-1": "green\n[]",
    }

    assert compose(tmp_path).state() == ("green", "[]")


def test_an_image_of_this_commit_is_not_built_again(
    docker: Docker, release: Release, tmp_path: Path
) -> None:
    docker.answers = {"docker inspect": "[APP_VERSION=v1.2.0 APP_COMMIT=c0ffee]"}

    assert compose(tmp_path).prepare(release) == "built before"


def test_an_image_of_another_commit_is_built_with_version_and_commit(
    docker: Docker, release: Release, tmp_path: Path
) -> None:
    docker.answers = {"docker inspect": "[APP_VERSION=v1.2.0 APP_COMMIT=0ther]"}

    assert compose(tmp_path).prepare(release).startswith("built on this host")

    assert "--build-arg VERSION=v1.2.0 --build-arg COMMIT=c0ffee" in docker.ran[-1]


@pytest.mark.parametrize(
    ("said", "running"), [("true 0\n", True), ("true 3\n", False), ("false 0\n", False)]
)
def test_what_the_engine_had_to_start_again_does_not_count_as_running(
    said: str, running: bool, docker: Docker, tmp_path: Path
) -> None:
    docker.answers = {"docker inspect": said}

    assert compose(tmp_path).running("blue") is running


def test_what_was_in_the_slot_ends_before_the_new_one_starts(
    docker: Docker, release: Release, tmp_path: Path
) -> None:
    compose(tmp_path).start(release, "blue")

    kill, *_, remove, up = docker.ran
    assert kill == "docker kill --signal INT orders-staging-app-blue-1"
    assert remove.startswith("docker rm --force")
    assert up.endswith("up --detach --no-deps app-blue")


def test_the_history_is_stored_before_the_slot_is_switched(docker: Docker, tmp_path: Path) -> None:
    compose(tmp_path).switch("green", '[{"version": "v1"}]')

    [switch] = docker.ran
    assert switch.index("trail.json") < switch.index("next slot")
    assert switch.endswith('green [{"version": "v1"}]')


def test_a_slot_is_reached_on_this_host_only(docker: Docker, tmp_path: Path) -> None:
    docker.answers = {"docker port orders-staging-app-blue-1 8000/tcp": "127.0.0.1:49153\n"}

    with compose(tmp_path).reach("blue") as url:
        assert url == "http://127.0.0.1:49153"


def test_data_without_their_server_are_refused_before_anything_starts(
    docker: Docker, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets" / "ops_token").write_text("x")
    docker.answers = {"docker volume ls": "orders-staging_database\n"}

    def check_output(command: list[str | Path], environment: dict[str, str] | None = None) -> str:
        if "database" in command:
            raise Refused("`docker compose` ended with 1", output="17")
        return docker.check_output(command, environment)

    monkeypatch.setattr("vitals.ops.run.shell.check_output", check_output)

    with pytest.raises(Refused, match="orders-staging_database holds no data that the image"):
        compose(tmp_path).open(release)

    assert not any(" up " in line for line in docker.ran)
