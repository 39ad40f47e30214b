"""Fixtures of all tests. Servers start only for tests that use them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import httpx
import pytest

from vitals import testing
from vitals.ops import services
from vitals.ops.run.steps import Refused
from vitals.ops.services.serving import Served, serving

USED_SERVERS: list[str] = []
T = TypeVar("T")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _discarded_log() -> Iterator[None]:
    with testing.discarded_log():
        yield


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """The settings of a service with real servers, with all migrations applied."""
    with ExitStack() as stack:
        running = _entered(stack, services.running())
        USED_SERVERS.extend(running.described)
        yield {"APP_ENVIRONMENT": "test", **running.environment}


@pytest.fixture(scope="session")
def service(environment: dict[str, str]) -> Iterator[Served]:
    """The service as `python -m app` starts it, shared by the tests that don't stop or break it."""
    with ExitStack() as stack:
        yield _entered(stack, serving(environment))


@pytest.fixture
def client(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url) as client:
        yield client


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in USED_SERVERS:
        terminalreporter.write_line(line)


def _entered(stack: ExitStack, context: AbstractContextManager[T]) -> T:
    """Enter a context; a refusal ends the tests with its text instead of many tracebacks."""
    try:
        return stack.enter_context(context)
    except Refused as refusal:
        pytest.exit(f"{refusal.output}\n{refusal}", returncode=1)
