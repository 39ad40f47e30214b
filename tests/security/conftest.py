"""A generated service that requires tokens, with real servers behind it."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests import baking
from tests.faults import servers
from tests.faults.service import Project, Service


class Guarded(NamedTuple):
    service: Service
    url: str
    token: str


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = baking.generate(tmp_path_factory.mktemp("security"), database="true", cache="true")
    baking.set_up(folder)
    return Project(folder)


@pytest.fixture(scope="session")
def guarded(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The service, with the token and the settings that `make token` prints."""
    printed = baking.make(project.folder, "-s", "token", "SCOPES=items:write").stdout.split()
    settings = dict(word.split("=", 1) for word in printed if word.startswith("APP_"))
    with servers.held(project) as (database, cache):
        service = Service(
            project,
            tmp_path_factory.mktemp("log") / "log",
            database_url=database.url,
            cache_url=cache.url,
            docs=True,
            drain_seconds=0,
            environ=settings,
        ).up()
        yield Guarded(service, f"http://127.0.0.1:{service.port}", printed[0])
        service.stop()
