"""PostgreSQL and PgBouncer as clouds run them, for the engine's own database class."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import servers
from tests.databases.servers import QUOTED, Program


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    missing = servers.missing()
    assert not missing, f"not on this machine: apt-get install {' '.join(missing)}"
    with servers.scratch() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[Program]:
    with servers.postgres(folder / "postgres") as program:
        yield program


@pytest.fixture(scope="session", params=["session", "transaction"])
def bouncer(request: pytest.FixtureRequest, folder: Path, postgres: Program) -> Iterator[Program]:
    with servers.bouncer(folder / request.param, postgres.port, request.param) as program:
        yield program


def url(program: Program, parameters: str = "", host: str = "localhost") -> str:
    """The URL of its database, the password percent-encoded."""
    return f"postgresql://app:{QUOTED}@{host}:{program.port}/postgres{parameters}"
