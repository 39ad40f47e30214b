"""The same promises of transactions as on SQLite, on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.databases.conftest import url
from tests.databases.servers import Program
from tests.engine.test_transactions import *  # noqa: F403 - the tests
from vitals.database import Database


@pytest.fixture
async def database(tmp_path: Path, postgres: Program) -> AsyncIterator[Database]:
    (tmp_path / "versions").mkdir()
    database = Database(url(postgres), migrations=tmp_path, pool_size=2, deadline_seconds=5)
    async with database.transaction() as session:
        await session.execute(text("DROP TABLE IF EXISTS items"))
        await session.execute(text("CREATE TABLE items (name TEXT UNIQUE)"))
    yield database
    await database.close()
