"""A generated service with the demo's faults, its real servers and its monitoring."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from benchmarks import demo
from tests import baking
from tests.faults import servers
from tests.faults.servers import Server
from tests.faults.service import Project, Service

NEEDED = {  # Debian's packages, and what is in them
    "chromium": "usr/bin/chromium",
    "curl": "usr/bin/curl",
    "kubernetes-client": "usr/bin/kubectl",
    "prometheus": "usr/bin/promtool",
    "prometheus-alertmanager": "usr/bin/prometheus-alertmanager",
}


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    missing = [package for package, file in NEEDED.items() if not Path("/", file).exists()]
    assert not missing, f"not on this machine: apt-get install {' '.join(missing)}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = baking.generate(tmp_path_factory.mktemp("pictures"), database="true", cache="true")
    baking.set_up(folder)
    demo.add(folder)
    return Project(folder)


@pytest.fixture(scope="session")
def held(project: Project) -> Iterator[tuple[Server, Server]]:
    with servers.held(project) as both:
        yield both


@pytest.fixture
def database(held: tuple[Server, Server]) -> Iterator[Server]:
    yield held[0]
    held[0].restore()


@pytest.fixture
def cache(held: tuple[Server, Server]) -> Iterator[Server]:
    yield held[1]
    held[1].restore()


@pytest.fixture
def start(
    project: Project, database: Server, cache: Server, tmp_path: Path
) -> Iterator[Callable[..., Service]]:
    """Start a service on the real servers; it is stopped after the test."""
    started: list[Service] = []

    def start(**options: object) -> Service:
        log = tmp_path / f"{len(started)}.log"
        urls = {"database_url": database.url, "cache_url": cache.url, "drain_seconds": 0}
        started.append(Service(project, log, **urls | options))
        return started[-1].up()

    yield start
    for service in started:
        service.stop()
