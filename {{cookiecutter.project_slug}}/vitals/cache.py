"""How do we reach the cache, and what if it is away?

A resource. It may go away at any time, and then only costs time: a failed command counts as
"not there", and until the next check passes the cache is not asked at all. What is kept, under
which key and for how long, stands with the feature (`store_cached.py`).
"""

import logging
from typing import Annotated, Any

from cashews import Cache as Backend
from cashews.exceptions import CacheError
from fastapi import APIRouter, Path
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from vitals import request_stats
from vitals.health.checks import Check
from vitals.problems import Problem

PREFIX = "{{ cookiecutter.project_slug }}"
MAX_LOCAL_KEYS = 10_000
ANSWER_SECONDS = 0.05  # a cache that takes longer is no help
LOCAL: dict[str, Any] = {"size": MAX_LOCAL_KEYS, "check_interval": 0}
REMOTE: dict[str, Any] = {
    "suppress": False,
    "max_connections": 50,
    "wait_for_connection_timeout": ANSWER_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    "socket_connect_timeout": ANSWER_SECONDS,
    "retry": Retry(NoBackoff(), 0),
}
REMEDY = "No request is lost: look whether the cache's server runs and has memory left."
# What a server that answers nonsense makes the client library raise, beside its own errors.
FAILURES = (CacheError, OSError, ValueError, TypeError, EOFError)
Feature = Annotated[str, Path(pattern="^[a-z][a-z_]*$", max_length=40)]

log = logging.getLogger(__name__)


class Cache:
    """Bytes under keys of the form feature:name, each with a lifetime."""

    name = "cache"

    def __init__(self, url: str) -> None:
        self._backend = Backend()
        self._backend.setup(url, **(LOCAL if url.startswith("mem:") else REMOTE))
        self._away = ""
        self._to_clear: set[str] = set()

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        await self._backend.close()

    def checks(self) -> list[Check]:
        return [Check(self.name, self._come_back, REMEDY)]

    def gauges(self) -> dict[str, float]:
        return {}

    async def get(self, key: str) -> bytes | None:
        """What is kept under the key, or None. Notes hit, miss, bypass or error in the tally."""
        if self._away:
            request_stats.cache("bypass", self._away)
            return None
        try:
            found = await self._backend.get(_full(key))
        except FAILURES as error:
            self._lose(error)
            return None
        request_stats.cache("miss" if found is None else "hit")
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Keep the value, if the cache is there."""
        if not self._away:
            try:
                await self._backend.set(_full(key), value, expire=ttl_seconds)
            except FAILURES as error:
                self._lose(error)

    async def delete(self, key: str) -> None:
        """Forget the key; if the cache is away, its feature is cleared before it is used again."""
        if not self._away:
            try:
                await self._backend.delete(_full(key))
            except FAILURES as error:
                self._lose(error)
        if self._away:
            self._to_clear.add(key.partition(":")[0])

    async def clear(self, feature: str) -> int:
        """Forget all keys of one feature and say how many. Raises one of FAILURES."""
        keys = [key async for key in self._backend.scan(_full(f"{feature}:*"))]
        if keys:
            await self._backend.delete_many(*keys)
        return len(keys)

    def _lose(self, error: Exception) -> None:
        self._away = type(error.__cause__ or error).__name__
        request_stats.cache("error", self._away)

    async def _come_back(self) -> None:
        """Ask whether the cache keeps things; if so, use it from now on."""
        await self._backend.set(_full("checked"), b"1", expire=60)  # a full one answers a ping
        for feature in tuple(self._to_clear):
            await self.clear(feature)
            self._to_clear.discard(feature)
        self._away = ""


def router(cache: Cache) -> APIRouter:
    """The path that clears one feature's cache; whoever includes it puts a guard before it."""
    routes = APIRouter(include_in_schema=False)

    @routes.delete("/cache/{feature}")
    async def clear_cache(feature: Feature) -> dict[str, str | int]:
        try:
            cleared = await cache.clear(feature)
        except FAILURES as error:
            raise Problem(503, "the cache is away", retry_safe=True) from error
        log.info("cache cleared", extra={"feature": feature, "cleared": cleared})
        return {"feature": feature, "cleared": cleared}

    return routes


def _full(key: str) -> str:
    return f"{PREFIX}:{key}"
