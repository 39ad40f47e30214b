"""Does the store in the database keep the promises? Here on a file; integration asks a server."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.items.models import NewItem
from app.items.store import ItemStore
from app.items.store_database import DatabaseItems, ItemRow
from tests.database import database_in
from tests.unit.items.store_contract import StoreContract
from tests.vitals import vitals
from vitals.database import Database
from vitals.problems import Problem


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with database_in(tmp_path) as database:
        yield database


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


async def test_reading_costs_one_statement_however_much_is_read(store: ItemStore) -> None:
    for number in range(30):
        await store.add(NewItem(name=f"tea {number}", price=Decimal(2)))

    async with vitals() as page:
        assert len(await store.page(limit=30, after=0)) == 30
    async with vitals() as one:
        await store.get(1)

    assert page.db_calls <= 1
    assert one.db_calls <= 1


async def test_changing_an_item_costs_at_most_two_statements(store: ItemStore) -> None:
    item = await store.add(NewItem(name="tea", price=Decimal(2)))

    async with vitals() as cost:
        await store.replace(item.id, NewItem(name="cocoa", price=Decimal(3)))

    assert cost.db_calls <= 2


async def test_a_query_for_each_item_is_caught_by_a_budget(
    database: Database, store: ItemStore
) -> None:
    ids = [(await store.add(NewItem(name="tea", price=Decimal(2)))).id for _ in range(12)]

    async with vitals() as cost, database.work() as session:
        for item_id in ids:
            await session.scalar(select(ItemRow.name).where(ItemRow.id == item_id))

    with pytest.raises(AssertionError, match=r"12 x SELECT items\.name FROM items"):
        assert cost.db_calls <= 2


async def test_a_statement_that_fails_is_counted_as_one_that_failed(database: Database) -> None:
    async with vitals() as cost:
        with pytest.raises(IntegrityError):
            async with database.work() as session:
                await session.execute(text("INSERT INTO items (name) VALUES (NULL)"))

    assert (cost.total("db")[0], cost.total("db_failed")[0]) == (1, 1)
