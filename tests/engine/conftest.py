"""What all tests of the engine share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitals.observability import logs


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of a service is asyncio's."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> Iterator[None]:
    """Discard the lines of the services under test, so that they don't mix with pytest's."""
    with Path(os.devnull).open("wb") as nowhere, pytest.MonkeyPatch.context() as patched:
        patched.setattr(logs.stdout, "_descriptor", nowhere.fileno())
        yield
        logs.stdout.close()
