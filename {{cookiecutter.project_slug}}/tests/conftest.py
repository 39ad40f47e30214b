"""Fixtures of all tests. Servers start only for tests that use them."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import pytest

from vitals import testing
from vitals.ops import services
from vitals.ops.run.steps import Refused
from vitals.ops.services.serving import Served, serving

USED_SERVERS: list[str] = []
START_SECONDS = 20


class Started(NamedTuple):
    """The service that most tests share, and what it answered while its servers were empty."""

    environment: dict[str, str]
    service: Served
    alive: httpx.Response
    ready: httpx.Response


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _discarded_log() -> Iterator[None]:
    with testing.discarded_log():
        yield


@pytest.fixture(scope="session")
def started() -> Iterator[Started]:
    """The service as `python -m app` starts it, on servers that are prepared meanwhile."""
    with _refusal_ends_all(), services.running() as running:
        USED_SERVERS.extend(running.described)
        environment = {"APP_ENVIRONMENT": "test", **running.environment}
        with serving(environment, healthy=False) as service:
            alive, ready = (httpx.get(f"{service.url}/{path}") for path in ("livez", "readyz"))
            services.prepare(environment)

            def is_ready() -> bool:
                return httpx.get(f"{service.url}/health").is_success

            if not service.program.wait_until(is_ready, START_SECONDS):
                raise Refused("the service did not get ready", output=service.log.read_text())
            yield Started(environment, service, alive, ready)


@pytest.fixture(scope="session")
def environment(started: Started) -> dict[str, str]:
    """The settings of a service with real servers, with all migrations applied."""
    return started.environment


@pytest.fixture(scope="session")
def service(started: Started) -> Served:
    """The service, shared by the tests that don't stop or break it."""
    return started.service


@pytest.fixture
def client(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url) as client:
        yield client


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in USED_SERVERS:
        terminalreporter.write_line(line)


@contextmanager
def _refusal_ends_all() -> Generator[None]:
    """End the tests with the text of a refusal instead of many tracebacks."""
    try:
        yield
    except Refused as refusal:
        pytest.exit(f"{refusal.output}\n{refusal}", returncode=1)
