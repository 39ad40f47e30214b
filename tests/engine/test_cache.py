"""Is only the cache that matters cleared?"""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from vitals import problems
from vitals.cache import Cache, router


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    cache = Cache("mem://")
    await cache.open()
    yield cache
    await cache.close()


@pytest.fixture
async def client(cache: Cache) -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.include_router(router(cache))
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_only_the_named_features_keys_are_cleared_counted_and_logged(
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


@pytest.mark.parametrize("feature", ["*", "it*ms", "items:1", "[a-z]"])
async def test_a_pattern_is_no_feature(
    feature: str, client: httpx.AsyncClient, cache: Cache
) -> None:
    await cache.set("items:1", b"kept", ttl_seconds=60)

    answer = await client.delete(f"/cache/{feature}")

    assert answer.status_code == 422
    assert await cache.get("items:1") == b"kept"


async def test_a_cache_that_is_away_is_a_503_that_may_be_repeated(
    client: httpx.AsyncClient, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: str) -> int:
        raise ConnectionError("away")

    monkeypatch.setattr(cache, "clear", fail)

    answer = await client.delete("/cache/items")

    assert answer.status_code == 503
    assert answer.json()["retry_safe"] is True
