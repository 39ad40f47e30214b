"""The service, real servers, and the table of results."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import baking
from tests.faults import clock, servers, table
from tests.faults.servers import Server
from tests.faults.service import Project, Service

ROWS = baking.ROOT / "build" / "faults.md"
NEEDED = {  # Debian's packages
    "haproxy": "usr/sbin/haproxy",
    "libfaketime": clock.LIBRARY,
    "pgbouncer": "usr/sbin/pgbouncer",
}


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    missing = [package for package, file in NEEDED.items() if not any(Path("/").glob(file))]
    assert not missing, f"not on this machine: apt-get install {' '.join(missing)}"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = baking.generate(tmp_path_factory.mktemp("faults"), database="true", cache="true")
    baking.set_up(folder)
    project = Project(folder)
    # A team adds it with its first websocket; the slow routes have one.
    package = f"websockets=={version('websockets')}"
    uv = shutil.which("uv") or str(baking.ROOT / ".venv" / "bin" / "uv")
    install = [uv, "pip", "install", "--quiet", "--python", project.python, package]
    subprocess.run(install, check=True, env=baking.environment())
    return project


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
        servers = {"database_url": database.url, "cache_url": cache.url}
        started.append(Service(project, log, **servers | options))
        return started[-1].up()

    yield start
    for service in started:
        service.stop()


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Iterator[Callable[..., table.Row]]:
    """Begin a row of the table; it is also shown when the test fails."""
    rows: list[table.Row] = []

    def begin(number: str, fault: str, elsewhere: str = "") -> table.Row:
        rows.append(table.Row(number, fault, elsewhere))
        return rows[-1]

    yield begin
    request.node.user_properties += [("fault", row.cells()) for row in rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ends = [r for kind in ("", "error") for r in terminalreporter.stats.get(kind, [])]
    properties = [p for r in ends if r.when == "teardown" for p in r.user_properties]
    rows = [cells for name, cells in properties if name == "fault"]
    if rows:
        ROWS.parent.mkdir(exist_ok=True)
        ROWS.write_text(table.markdown(rows), encoding="utf-8")
        terminalreporter.section("faults")
        terminalreporter.write(table.markdown(rows))
        terminalreporter.write_line(f"the same rows for docs/faults.md: {ROWS}")
