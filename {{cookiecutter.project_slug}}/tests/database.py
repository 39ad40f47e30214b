"""Databases for tests: an SQLite file with all tables, and direct queries to PostgreSQL."""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg
import pytest

from vitals.database import Database

ROOT = Path(__file__).parents[1]
MIGRATIONS = ROOT / "migrations"


@asynccontextmanager
async def database_in(folder: Path) -> AsyncGenerator[Database]:
    """A database in a file of its own, with all migrations applied."""
    file = shutil.copy(await asyncio.to_thread(migrated), folder / "test.db")
    database = Database(f"sqlite:///{file}", migrations=MIGRATIONS, pool_size=5, deadline_seconds=5)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@cache
def migrated() -> Path:
    """The file that each test gets a copy of; it is made once."""
    from alembic import command  # tests on PostgreSQL need none of it
    from alembic.config import Config

    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "migrated.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_ENVIRONMENT", "test")
        patch.setenv("APP_DATABASE_URL", f"sqlite:///{file}")
        command.upgrade(Config(ROOT / "alembic.ini"), "head")
    return file


def query(url: str, statement: str, *values: object) -> list[asyncpg.Record]:
    """Send a statement to the PostgreSQL at `url`."""

    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return asyncio.run(fetch())
