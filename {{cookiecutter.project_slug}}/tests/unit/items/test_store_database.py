"""Items in an SQLite file; tests/integration runs the same tests on PostgreSQL."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from app.items.models import NewItem
from app.items.store import ItemStore
from app.items.store_database import DatabaseItems
from tests.database import database_in
from tests.unit.items.store_contract import COFFEE, TEA, StoreContract
from vitals import testing


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ItemStore]:
    async with database_in(tmp_path) as database:
        yield DatabaseItems(database)


class TestDatabaseItems(StoreContract):
    """The tests of every store, in a database."""


async def test_reading_costs_one_statement_for_any_number_of_items(store: ItemStore) -> None:
    for number in range(30):
        await store.add(NewItem(name=f"tea {number}", price=Decimal(2)))

    async with testing.cost() as page:
        assert len(await store.page(limit=30, after=0)) == 30
    async with testing.cost() as one:
        await store.get(1)

    assert page.db_calls <= 1
    assert one.db_calls <= 1


async def test_replacing_an_item_costs_at_most_two_statements(store: ItemStore) -> None:
    item = await store.add(TEA)

    async with testing.cost() as cost:
        await store.replace(item.id, COFFEE)

    assert cost.db_calls <= 2
