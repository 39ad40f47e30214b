"""Items read through a cache in this process."""

from collections.abc import AsyncIterator

import pytest

from app.items.models import Item, NewItem
from app.items.store import ItemStore, MemoryItems
from app.items.store_cached import CachedItems
from tests.unit.items.store_contract import COFFEE, TEA, StoreContract
from vitals import testing
from vitals.cache import Cache


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    cache = Cache("mem://", prefix="test")
    await cache.open()
    yield cache
    await cache.close()


@pytest.fixture
def memory() -> MemoryItems:
    return MemoryItems()


@pytest.fixture
def store(memory: MemoryItems, cache: Cache) -> ItemStore:
    return CachedItems(memory, cache, ttl_seconds=60)


class TestCachedItems(StoreContract):
    """The tests of every store, through the cache."""


async def test_the_second_read_is_a_hit(store: ItemStore) -> None:
    item = await store.add(TEA)

    async with testing.cost() as first:
        await store.get(item.id)
    async with testing.cost() as second:
        await store.get(item.id)

    assert (first.cache, second.cache) == ("miss", "hit")


async def test_a_page_is_cached_until_any_item_is_added_replaced_or_removed(
    store: ItemStore, memory: MemoryItems
) -> None:
    first, second = await store.add(TEA), await store.add(TEA)

    for change in (
        store.add(COFFEE),
        store.replace(first.id, COFFEE),
        store.remove(second.id),
    ):
        await store.page(2, 0)
        async with testing.cost() as cost:
            await store.page(2, 0)
        await change

        assert cost.cache == "hit"
        assert await store.page(2, 0) == await memory.page(2, 0)


async def test_a_replacement_that_fails_after_it_was_stored_is_seen_by_the_next_reader(
    store: ItemStore, memory: MemoryItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await store.add(TEA)
    await store.get(item.id)
    replace = memory.replace

    async def replace_and_fail(item_id: int, new: NewItem) -> Item | None:
        await replace(item_id, new)
        raise TimeoutError

    monkeypatch.setattr(memory, "replace", replace_and_fail)
    with pytest.raises(TimeoutError):
        await store.replace(item.id, COFFEE)

    assert await store.get(item.id) == Item(id=item.id, **COFFEE.model_dump())
