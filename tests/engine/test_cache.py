"""The cache: what it stores, how it fails, and how one feature of it is cleared."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from cashews.exceptions import CacheError
from fastapi import FastAPI

from tests.engine.applications import install, settings
from vitals import CheckFailed, testing
from vitals.cache import Cache

TOKEN = settings().ops_token.get_secret_value()


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    cache = Cache("mem://", prefix="orders-api")
    await cache.open()
    yield cache
    await cache.close()


@pytest.fixture
async def client(cache: Cache) -> AsyncIterator[httpx.AsyncClient]:
    app = install(FastAPI(), {"dependencies": [cache]})
    transport = httpx.ASGITransport(app=app)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        yield client


async def _fail(*_: object, **__: object) -> None:
    raise CacheError


async def test_a_value_is_a_miss_until_it_is_stored_and_then_a_hit(cache: Cache) -> None:
    async with testing.cost() as miss:
        assert await cache.get("items:1") is None
    await cache.set("items:1", b"tea", ttl_seconds=60)
    async with testing.cost() as hit:
        assert await cache.get("items:1") == b"tea"

    assert (miss.cache, hit.cache) == ("miss", "hit")


async def test_two_services_on_one_server_do_not_see_each_others_keys(cache: Cache) -> None:
    other = Cache("mem://", prefix="shop")
    other._backend = cache._backend
    await cache.set("items:1", b"tea", ttl_seconds=60)

    assert await other.get("items:1") is None
    assert await other.clear("items") == 0
    assert await cache.get("items:1") == b"tea"


async def test_a_failing_cache_is_bypassed_until_its_check_passes(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    (check,) = cache.checks()
    results = []

    async def get() -> None:
        async with testing.cost() as cost:
            assert await cache.get("items:1") is None
        results.append((cost.cache, cost.cache_reason))

    with monkeypatch.context() as broken:
        broken.setattr(cache._backend, "get", _fail)
        await get()
    await get()
    await check.probe()
    await get()

    assert results == [("error", "CacheError"), ("bypass", "CacheError"), ("miss", "")]


async def test_a_key_that_was_deleted_while_the_cache_was_down_is_gone_when_it_is_back(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cache.set("items:1", b"stale", ttl_seconds=60)
    await cache.set("orders:1", b"kept", ttl_seconds=60)
    (check,) = cache.checks()

    with monkeypatch.context() as broken:
        broken.setattr(cache._backend, "delete", _fail)
        await cache.delete("items:1")
    await check.probe()

    assert await cache.get("items:1") is None
    assert await cache.get("orders:1") == b"kept"


async def test_a_value_that_cannot_be_stored_costs_nothing_but_its_next_read(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache._backend, "set", _fail)

    await cache.set("items:1", b"tea", ttl_seconds=60)

    async with testing.cost() as cost:
        assert await cache.get("items:1") is None
    assert cost.cache == "bypass"


async def test_the_check_fails_while_the_cache_stores_nothing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    (check,) = cache.checks()

    async def refuse(*_: object, **__: object) -> None:
        raise CacheError from ConnectionRefusedError("no server at 127.0.0.1:1")

    monkeypatch.setattr(cache._backend, "set", refuse)

    with pytest.raises(CheckFailed, match="ConnectionRefusedError: no server"):
        await check.probe()


async def test_only_the_named_feature_is_cleared(cache: Cache) -> None:
    for key in ("items:1:1", "items:1:2", "itemsets:1:1"):
        await cache.set(key, b"x", ttl_seconds=60)

    assert await cache.clear("items") == 2
    assert await cache.get("itemsets:1:1") == b"x"


async def test_the_operators_path_clears_one_feature_and_counts_and_logs_it(
    client: httpx.AsyncClient, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("items:1", "items:2", "orders:1"):
        await cache.set(key, b"kept", ttl_seconds=60)

    with caplog.at_level(logging.INFO):
        answer = await client.delete("/cache/items")

    assert answer.json() == {"feature": "items", "cleared": 2}
    assert await cache.get("items:1") is None
    assert await cache.get("orders:1") == b"kept"
    assert "cache cleared" in caplog.messages


async def test_the_operators_path_is_for_operators(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/cache/items", headers={"authorization": ""})

    assert answer.status_code == 401


@pytest.mark.parametrize("feature", ["*", "it*ms", "items:1", "[a-z]"])
async def test_a_pattern_is_not_a_feature(
    feature: str, client: httpx.AsyncClient, cache: Cache
) -> None:
    await cache.set("items:1", b"kept", ttl_seconds=60)

    answer = await client.delete(f"/cache/{feature}")

    assert answer.status_code == 422
    assert await cache.get("items:1") == b"kept"


async def test_a_cache_that_is_down_is_503_and_safe_to_retry(
    client: httpx.AsyncClient, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: str) -> int:
        raise ConnectionError("down")

    monkeypatch.setattr(cache, "clear", fail)

    answer = await client.delete("/cache/items")

    assert answer.status_code == 503
    assert answer.json()["retry_safe"] is True
