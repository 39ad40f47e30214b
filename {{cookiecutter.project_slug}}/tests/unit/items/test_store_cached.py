"""Does the cached store keep the promises, also when the cache is away or holds nonsense?"""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from cashews.exceptions import CacheError

from app.items.models import NewItem
from app.items.store import ItemStore, MemoryItems
from app.items.store_cached import CachedItems
from tests.unit.items.store_contract import TEA, StoreContract
from vitals.cache import Cache
from vitals.request_stats import Tally, current

COCOA = NewItem(name="cocoa", price=Decimal(3))


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    cache = Cache("mem://")
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
    """The promises, through the cache."""


async def test_the_second_read_is_a_hit(store: ItemStore) -> None:
    current.set(tally := Tally("request-1"))
    item = await store.add(TEA)

    seen = []
    for _ in range(2):
        await store.get(item.id)
        seen.append(tally.cache)

    assert seen == ["miss", "hit"]


async def test_an_entry_that_is_no_item_is_read_anew(
    store: ItemStore, cache: Cache, memory: MemoryItems
) -> None:
    item = await memory.add(TEA)
    await cache.set(f"items:1:{item.id}", b'{"what": "else"}', ttl_seconds=60)

    assert await store.get(item.id) == item


async def test_a_cache_that_fails_is_not_asked_until_its_check_passes(
    store: ItemStore, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    current.set(tally := Tally("request-1"))
    item = await store.add(TEA)
    (check,) = cache.checks()

    with monkeypatch.context() as broken:
        broken.setattr(cache._backend, "get", _fail)
        assert await store.get(item.id) == item
        assert tally.cache == "error"
    assert await store.get(item.id) == item
    assert tally.cache == "bypass"
    await check.probe()
    await store.get(item.id)

    assert tally.cache == "miss"


async def test_a_change_while_the_cache_is_away_is_seen_when_it_is_back(
    store: ItemStore, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await store.add(TEA)
    await store.get(item.id)
    (check,) = cache.checks()

    with monkeypatch.context() as broken:
        broken.setattr(cache._backend, "delete", _fail)
        changed = await store.replace(item.id, COCOA)
    await check.probe()

    assert await store.get(item.id) == changed


async def test_only_the_named_feature_is_cleared(cache: Cache) -> None:
    for key in ("items:1:1", "items:1:2", "itemsets:1:1"):
        await cache.set(key, b"x", ttl_seconds=60)

    assert await cache.clear("items") == 2
    assert await cache.get("itemsets:1:1") == b"x"


async def _fail(*_: object, **__: object) -> None:
    raise CacheError
