"""Does the store in the database keep the promises? Here on a file; integration asks a server."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from app.database import Database
from app.errors import Problem
from app.items.store import ItemStore
from app.items.store_database import DatabaseItems, ItemRow
from tests.unit.items.store_contract import StoreContract


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all migrations applied; copy it, don't change it."""
    file = tmp_path_factory.mktemp("migrated") / "items.db"
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("APP_DATABASE_URL", f"sqlite:///{file}")
        command.upgrade(Config("alembic.ini"), "head")
    return file


@pytest.fixture
async def database(migrated: Path, tmp_path: Path) -> AsyncIterator[Database]:
    file = shutil.copy(migrated, tmp_path / "items.db")
    database = Database(f"sqlite:///{file}", pool_size=5, deadline_seconds=5, slow_query_ms=1000)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> ItemStore:
    return DatabaseItems(database)


class TestDatabaseItems(StoreContract):
    """The promises, in a database."""


async def test_work_that_raises_leaves_nothing_behind(database: Database, store: ItemStore) -> None:
    async def fail_after_adding() -> None:
        async with database.work() as session:
            session.add(ItemRow(name="tea", price_cents=250))
            await session.flush()
            raise Problem(409, "changed our mind")

    with pytest.raises(Problem, match="changed our mind"):
        await fail_after_adding()

    assert await store.page(limit=10, after=0) == []
