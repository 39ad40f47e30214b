"""Does the store keep its promises in the database that staging and production use?"""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.database import Database
from app.items.store import ItemStore
from app.items.store_database import DatabaseItems
from tests.unit.items.store_contract import StoreContract


class TestDatabaseItems(StoreContract):
    """The promises, in a real server."""

    @pytest.fixture
    async def store(self, environment: dict[str, str]) -> AsyncIterator[ItemStore]:
        url = environment["APP_DATABASE_URL"]
        database = Database(url, pool_size=5, deadline_seconds=5, slow_query_ms=1000)
        async with database.work() as session:
            await session.execute(text("DELETE FROM items"))
        yield DatabaseItems(database)
        await database.close()
