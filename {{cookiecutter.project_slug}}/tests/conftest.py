"""What do all tests need?"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitals.observability import logs


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The service runs on asyncio, so its tests do."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> Iterator[None]:
    """Lines of the services under test go nowhere, not among those of pytest."""
    with Path(os.devnull).open("wb") as nowhere, pytest.MonkeyPatch.context() as patched:
        patched.setattr(logs.stdout, "_descriptor", nowhere.fileno())
        yield
        logs.stdout.close()
