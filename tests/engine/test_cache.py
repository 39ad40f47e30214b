"""The cache in this process: what it stores, how it fails, and how one feature is cleared.

What needs a server is in tests/faults/test_cache.py.
"""

import asyncio
import logging
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI
from pydantic import AfterValidator, BaseModel, Field, create_model

from tests.engine.applications import install, settings
from vitals import CheckFailed, cache_stores, testing
from vitals.cache import Cache, Values
from vitals.cache_stores import KEY_BYTES, LocalStore

TOKEN = settings().ops_token.get_secret_value()


class Item(BaseModel):
    id: int
    name: str = ""


class Loads:
    """A store behind the cache, and how often each item was read from it."""

    def __init__(self) -> None:
        self.names = {1: "tea", 2: "coffee"}
        self.count = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def __call__(self, number: int) -> Callable[[], Awaitable[Item | None]]:
        async def load() -> Item | None:
            self.count += 1
            name = self.names.get(number)
            await self.gate.wait()
            await asyncio.sleep(0)
            return None if name is None else Item(id=number, name=name)

        return load


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    cache = Cache("mem://", prefix="orders-api")
    await cache.open()
    yield cache
    await cache.close()


@pytest.fixture
def items(cache: Cache) -> Values[Item]:
    return cache.values("items", Item, ttl_seconds=60)


@pytest.fixture
def load() -> Loads:
    return Loads()


@pytest.fixture
async def client(cache: Cache, items: Values[Item]) -> AsyncIterator[httpx.AsyncClient]:
    del items  # a feature that can be cleared
    app = install(FastAPI(), {"dependencies": [cache]})
    transport = httpx.ASGITransport(app=app)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        yield client


def stored_values(cache: Cache) -> dict[bytes, bytes]:
    """What the cache keeps, without the generations."""
    assert isinstance(cache._store, LocalStore)
    return {key: value for key, (_, value) in cache._store._values.items() if key.count(b":") > 2}


async def fail(*_: object, **__: object) -> None:
    raise ConnectionResetError


async def test_a_value_is_a_miss_until_it_is_stored_and_then_a_hit(
    items: Values[Item], load: Loads
) -> None:
    async with testing.cost() as miss:
        first = await items.get(1, load(1))
    async with testing.cost() as hit:
        second = await items.get(1, load(1))

    assert (miss.cache, hit.cache) == ("miss", "hit")
    assert first == second == Item(id=1, name="tea")
    assert load.count == 1


async def test_what_does_not_exist_is_not_cached(items: Values[Item], load: Loads) -> None:
    assert await items.get(3, load(3)) is None
    load.names[3] = "milk"

    assert await items.get(3, load(3)) == Item(id=3, name="milk")


async def test_any_type_with_a_schema_can_be_cached(cache: Cache) -> None:
    pages = cache.values("pages", list[Item], ttl_seconds=60)

    async def load() -> list[Item]:
        return [Item(id=1)]

    async with testing.cost() as cost:
        await pages.get("20:0", load)
        assert await pages.get("20:0", load) == [Item(id=1)]
    assert cost.cache == "hit"


async def test_a_model_with_aliases_and_computed_parts_is_read_as_it_was_stored(
    cache: Cache,
) -> None:
    class Renamed(BaseModel, extra="forbid"):
        price_cents: int = Field(alias="price")

    values = cache.values("renamed", Renamed, ttl_seconds=60)

    async def load() -> Renamed:
        return Renamed(price=3)

    async with testing.cost() as cost:
        await values.get(1, load)
        assert await values.get(1, load) == Renamed(price=3)
    assert cost.cache == "hit"


async def test_a_value_that_is_too_old_is_loaded_again(
    items: Values[Item], load: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.get(1, load(1))
    now = cache_stores.time.monotonic()
    monkeypatch.setattr(cache_stores.time, "monotonic", lambda: now + 61)

    await items.get(1, load(1))

    assert load.count == 2


class Hostile:
    """A pickle that writes a file when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.file,)


def planted(ours: bytes, other: bytes, file: Path) -> dict[str, bytes]:
    """What somebody else may have put under our key."""
    return {
        "pickle": pickle.dumps(Hostile(file)),
        "another item's value": other,
        "another id": ours.replace(b'"id":1', b'"id":2'),
        "no signature": ours[16:],
        "cut": ours[:-1],
        "json": b'{"id": 1, "name": "planted"}',
        "bytes": b"\xff" * 1000,
        "nothing": b"",
        "deep": b"[" * 100_000,
    }


@pytest.mark.parametrize("kind", planted(b"", b"", Path()))
async def test_what_we_did_not_write_for_this_key_is_a_miss_and_is_replaced(
    items: Values[Item], load: Loads, cache: Cache, kind: str, tmp_path: Path
) -> None:
    await items.get(1, load(1))
    await items.get(2, load(2))
    (key, ours), (_, other) = stored_values(cache).items()
    await cache._store.write(key, planted(ours, other, tmp_path / "executed")[kind], 60)

    async with testing.cost() as cost:
        assert await items.get(1, load(1)) == Item(id=1, name="tea")

    assert cost.cache == "miss"
    assert not (tmp_path / "executed").exists()
    assert stored_values(cache)[key] == ours


async def test_a_value_signed_with_another_password_is_not_served(load: Loads) -> None:
    caches = [Cache(f"mem://:{word}@", prefix="orders") for word in ("ours", "theirs")]
    ours, theirs = (cache.values("items", Item, ttl_seconds=60) for cache in caches)
    theirs._store = ours._store
    await ours.get(1, load(1))
    load.names[1] = "planted"

    assert await theirs.get(1, load(1)) == Item(id=1, name="planted")


async def test_a_release_with_other_fields_does_not_read_the_old_ones_values(
    cache: Cache, load: Loads, items: Values[Item]
) -> None:
    class ItemV2(BaseModel):
        id: int
        name: str = ""
        unit: str = "kg"

    newer = cache.values("items", ItemV2, ttl_seconds=60)
    await items.get(1, load(1))

    async def loaded() -> ItemV2:
        return ItemV2(id=1, unit="g")

    assert await newer.get(1, loaded) == ItemV2(id=1, unit="g")
    assert await items.get(1, load(1)) == Item(id=1, name="tea")


async def test_what_one_release_changes_is_not_kept_by_another_with_other_fields(
    cache: Cache, load: Loads, items: Values[Item]
) -> None:
    newer = cache.values(
        "items", create_model("Item", __base__=Item, unit=(str, "")), ttl_seconds=60
    )
    await newer.get(1, load(1))
    load.names[1] = "green tea"
    await items.delete(1)

    found = await newer.get(1, load(1))

    assert found is not None
    assert found.name == "green tea"


async def test_the_check_fails_when_values_can_be_stored_but_not_read(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: bytes) -> list[bytes | None]:
        raise OSError("no permission to run 'mget'")

    monkeypatch.setattr(cache._store, "read", refuse)
    (check,) = cache.checks()

    with pytest.raises(CheckFailed, match="mget"):
        await check.probe()


async def test_a_value_that_a_stricter_release_refuses_is_loaded_again(
    cache: Cache, load: Loads, items: Values[Item]
) -> None:
    def no_tea(name: str) -> str:
        assert name != "tea"
        return name

    kind = create_model("Item", id=(int, ...), name=(Annotated[str, AfterValidator(no_tea)], ""))
    stricter = cache.values("items", kind, ttl_seconds=60)
    await items.get(1, load(1))
    assert stricter._prefix == items._prefix

    async def loaded() -> BaseModel:
        return kind(id=1, name="green tea")

    assert await stricter.get(1, loaded) == kind(id=1, name="green tea")


async def test_two_services_on_one_server_do_not_see_each_others_values(
    cache: Cache, items: Values[Item], load: Loads
) -> None:
    shop = Cache("mem://", prefix="shop")
    shop._store = cache._store
    theirs = shop.values("items", Item, ttl_seconds=60)
    await items.get(1, load(1))
    load.names[1] = "theirs"

    assert await theirs.get(1, load(1)) == Item(id=1, name="theirs")
    await theirs.clear()
    assert await items.get(1, load(1)) == Item(id=1, name="tea")


async def test_only_the_named_feature_is_cleared(
    cache: Cache, items: Values[Item], load: Loads
) -> None:
    other = cache.values("itemsets", Item, ttl_seconds=60)
    await items.get(1, load(1))
    await other.get(1, load(1))

    await items.clear()
    await items.get(1, load(1))
    await other.get(1, load(1))

    assert load.count == 3


async def test_many_readers_of_one_value_load_it_once(items: Values[Item], load: Loads) -> None:
    async with asyncio.timeout(10):
        found = await asyncio.gather(*(items.get(1, load(1)) for _ in range(100)))

    assert found == [Item(id=1, name="tea")] * 100
    assert load.count == 1


async def test_an_error_while_loading_is_everyones_and_is_forgotten(
    items: Values[Item], load: Loads
) -> None:
    async def broken() -> Item:
        await asyncio.sleep(0)
        raise RuntimeError("the database is away")

    found = await asyncio.gather(*(items.get(1, broken) for _ in range(3)), return_exceptions=True)

    assert [repr(error) for error in found] == ["RuntimeError('the database is away')"] * 3
    assert await items.get(1, load(1)) == Item(id=1, name="tea")


async def test_when_the_one_who_loads_is_cancelled_another_one_does(
    items: Values[Item], load: Loads
) -> None:
    load.gate.clear()
    first, *others = [asyncio.create_task(items.get(1, load(1))) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # each is at its wait
    first.cancel()
    load.gate.set()

    async with asyncio.timeout(10):
        assert await asyncio.gather(*others) == [Item(id=1, name="tea")] * 4
    assert first.cancelled()
    assert load.count == 2
    assert items._loading == {}


@pytest.mark.parametrize("all_", [False, True])
async def test_a_value_that_was_loaded_before_a_change_is_neither_kept_nor_shared_after_it(
    items: Values[Item], load: Loads, all_: bool
) -> None:
    load.gate.clear()
    before = asyncio.create_task(items.get(1, load(1)))
    await asyncio.sleep(0)
    load.names[1] = "green tea"
    await (items.delete_all() if all_ else items.delete(1))
    after = asyncio.create_task(items.get(1, load(1)))
    await asyncio.sleep(0)
    load.gate.set()

    assert [item and item.name for item in await asyncio.gather(before, after)] == [
        "tea",
        "green tea",
    ]
    assert await items.get(1, load(1)) == Item(id=1, name="green tea")


@pytest.mark.parametrize("steps", range(4))
async def test_a_cancelled_caller_loses_no_delete(
    items: Values[Item], load: Loads, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    await items.get(1, load(1))
    load.names[1] = "green tea"
    delete, store = items._store.delete, items._store

    async def slowly(key: bytes) -> None:
        await asyncio.sleep(0)
        await delete(key)

    monkeypatch.setattr(store, "delete", slowly)
    writer = asyncio.create_task(items.delete(1))
    for _ in range(steps):
        await asyncio.sleep(0)
    if steps:  # otherwise it has not begun
        writer.cancel()
    await asyncio.wait([writer])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert await items.get(1, load(1)) == Item(id=1, name="green tea")


@pytest.mark.parametrize(("method", "names"), [("delete", [1]), ("delete_all", [])])
async def test_a_delete_that_failed_is_made_up_for_before_the_feature_is_used_again(
    cache: Cache,
    items: Values[Item],
    load: Loads,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    names: list[int],
) -> None:
    other = cache.values("others", Item, ttl_seconds=60)
    await items.get(1, load(1))
    await other.get(1, load(1))
    load.names[1] = "green tea"
    (check,) = cache.checks()
    with monkeypatch.context() as broken:
        broken.setattr(cache._store, "delete", fail)
        broken.setattr(cache._store, "write", fail)
        await getattr(items, method)(*names)

    async with testing.cost() as until_the_check:
        assert await items.get(1, load(1)) == Item(id=1, name="green tea")
    await check.probe()
    async with testing.cost() as after:
        assert await items.get(1, load(1)) == Item(id=1, name="green tea")
    async with testing.cost() as elsewhere:
        await other.get(1, load(1))

    costs = [cost.cache for cost in (until_the_check, after, elsewhere)]
    assert costs == ["bypass", "miss", "hit"]


async def test_the_values_of_one_type_are_deleted_and_those_of_another_stay(
    cache: Cache, items: Values[Item], load: Loads
) -> None:
    pages = cache.values("items", list[int], ttl_seconds=60)

    async def page() -> list[int]:
        load.count += 1
        return []

    await items.get(1, load(1))
    assert await pages.get("first", page) == await pages.get("first", page) == []
    await pages.delete_all()
    await items.get(1, load(1))
    await pages.get("first", page)

    assert load.count == 3


async def test_a_clear_that_failed_is_made_up_for_too(
    cache: Cache, items: Values[Item], load: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.get(1, load(1))
    load.names[1] = "green tea"
    with monkeypatch.context() as broken:
        broken.setattr(cache._store, "write", fail)
        with pytest.raises(ConnectionResetError):
            await items.clear()

    assert await items.get(1, load(1)) == Item(id=1, name="green tea")


async def test_a_cache_that_fails_costs_no_request_and_what_it_stored_is_not_trusted(
    cache: Cache, items: Values[Item], load: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.get(2, load(2))
    for method, expected in (("read", "error"), ("write", "miss")):
        with monkeypatch.context() as broken:
            broken.setattr(cache._store, method, fail)
            async with testing.cost() as cost:
                assert await items.get(1, load(1)) == Item(id=1, name="tea")
        assert cost.cache == expected
    async with testing.cost() as cost:
        await items.get(2, load(2))

    assert (cost.cache, cost.cache_reason) == ("bypass", "a change may be lost")


async def test_while_the_check_fails_the_cache_is_bypassed(
    cache: Cache, items: Values[Item], load: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    (check,) = cache.checks()
    await items.get(1, load(1))
    load.names[1] = "green tea"
    with monkeypatch.context() as broken:
        broken.setattr(cache._store, "write", fail)
        with pytest.raises(CheckFailed, match="ConnectionResetError"):
            await check.probe()
        await items.delete(1)
        async with testing.cost() as down:
            await items.get(1, load(1))
    await check.probe()
    async with testing.cost() as up:
        assert await items.get(1, load(1)) == Item(id=1, name="green tea")

    assert (down.cache, down.cache_reason) == ("bypass", "ConnectionResetError")
    assert up.cache == "miss"


async def test_the_cache_in_this_process_holds_its_bound_and_keeps_what_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_stores, "MAX_LOCAL_BYTES", 10 * (KEY_BYTES + 100 + 3))
    store = LocalStore()
    await store.write(b"key", b"x" * 100, 60)
    for number in range(1000):
        await store.read(b"key")
        await store.write(b"%03d" % number, b"x" * (number % 100), 60)
        assert store._bytes == sum(
            len(key) + len(value) + KEY_BYTES for key, (_, value) in store._values.items()
        )
        assert store._bytes <= cache_stores.MAX_LOCAL_BYTES

    assert await store.read(b"key", b"000", b"999") == [b"x" * 100, None, b"x" * 99]
    await store.write(b"huge", b"x" * 10_000, 60)
    assert store._bytes == 0


async def test_the_operators_path_clears_one_feature_and_logs_it(
    client: httpx.AsyncClient, items: Values[Item], load: Loads, caplog: pytest.LogCaptureFixture
) -> None:
    await items.get(1, load(1))

    with caplog.at_level(logging.INFO):
        answer = await client.delete("/cache/items")

    await items.get(1, load(1))
    assert answer.json() == {"feature": "items", "cleared": 1}
    assert load.count == 2
    assert "cache cleared" in caplog.messages


async def test_the_operators_path_is_for_operators(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/cache/items", headers={"authorization": ""})

    assert answer.status_code == 401


@pytest.mark.parametrize("feature", ["*", "it*ms", "items:1", "[a-z]", "itms"])
async def test_what_is_no_feature_is_refused_by_name(
    feature: str, client: httpx.AsyncClient
) -> None:
    answer = await client.delete(f"/cache/{feature}")

    assert answer.status_code == 404
    assert "items" in answer.json()["detail"]


async def test_a_cache_that_is_down_is_503_and_safe_to_retry(
    client: httpx.AsyncClient, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache._store, "write", fail)

    answer = await client.delete("/cache/items")

    assert answer.status_code == 503
    assert answer.json()["retry_safe"] is True
