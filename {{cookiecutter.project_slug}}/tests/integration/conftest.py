"""The real start command on a real socket, with the real servers of `vitals.ops.services`."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import httpx
import pytest

from vitals.ops import services
from vitals.ops.run.steps import Refused
from vitals.ops.services.serving import Served, serving

DESCRIBED: list[str] = []
T = TypeVar("T")


def entered(stack: ExitStack, context: AbstractContextManager[T]) -> T:
    """Enter; a refusal ends the tests with its words instead of a traceback for each."""
    try:
        return stack.enter_context(context)
    except Refused as refusal:
        pytest.exit(f"{refusal.output}\n{refusal}", returncode=1)


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """The settings that point the app to servers that are up and prepared."""
    with ExitStack() as stack:
        running = entered(stack, services.running())
        DESCRIBED.extend(running.described)
        yield running.environment


@pytest.fixture(scope="session")
def service(environment: dict[str, str]) -> Iterator[Served]:
    """The service, running for all tests that do not harm it."""
    with ExitStack() as stack:
        yield entered(stack, serving(environment))


@pytest.fixture
def client(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url) as client:
        yield client


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in DESCRIBED:
        terminalreporter.write_line(line)
