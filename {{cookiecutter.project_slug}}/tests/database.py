"""How does a test get a database with all tables, and how does it ask one past the service?"""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from vitals.database import Database


@asynccontextmanager
async def database_in(folder: Path) -> AsyncIterator[Database]:
    """A database in a file of its own, with all migrations applied."""
    empty = await asyncio.to_thread(migrated)  # a migration starts an event loop of its own
    file = shutil.copy(empty, folder / "some.db")
    database = Database(f"sqlite:///{file}", pool_size=5, deadline_seconds=5, slow_query_ms=1000)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def query(url: str, statement: str, *values: object) -> list[asyncpg.Record]:
    """Ask the server at `url` itself."""

    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return asyncio.run(ask())


@cache
def migrated() -> Path:
    """The file that each test gets a copy of: made once."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "migrated.db"
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("APP_DATABASE_URL", f"sqlite:///{file}")
        command.upgrade(Config("alembic.ini"), "head")
    return file
