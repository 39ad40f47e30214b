"""What do all tests need?"""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The service runs on asyncio, so its tests do."""
    return "asyncio"
