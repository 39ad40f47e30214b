"""The real start command on a real socket, with the real servers of `ops.services`."""

from collections.abc import Iterator

import httpx
import pytest

from ops import services
from ops.serving import Served, serving

DESCRIBED: list[str] = []


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """The settings that point the app to servers that are up and prepared."""
    with services.running() as running:
        DESCRIBED.extend(running.described)
        yield running.environment


@pytest.fixture(scope="session")
def service(environment: dict[str, str]) -> Iterator[Served]:
    """The service, running for all tests that do not harm it."""
    with serving(environment) as served:
        yield served


@pytest.fixture
def client(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url) as client:
        yield client


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in DESCRIBED:
        terminalreporter.write_line(line)
