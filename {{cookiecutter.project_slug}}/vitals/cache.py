"""The cache: when it fails, requests take longer but succeed.

After a failed command, which counts as a miss, the cache is bypassed until its next check passes.
The feature that uses it chooses keys and lifetimes.
"""

import logging
from typing import Annotated, Any

from cashews import Cache as Backend
from cashews.exceptions import CacheError
from fastapi import APIRouter, Path
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from vitals import request_stats
from vitals.dependency import Check, CheckFailed
from vitals.problems import Problem

MAX_LOCAL_KEYS = 10_000
ANSWER_SECONDS = 0.05  # a slower cache is no help
LOCAL: dict[str, Any] = {"size": MAX_LOCAL_KEYS, "check_interval": 0}
REMOTE: dict[str, Any] = {
    "suppress": False,
    "max_connections": 50,
    "wait_for_connection_timeout": ANSWER_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    "socket_connect_timeout": ANSWER_SECONDS,
    "retry": Retry(NoBackoff(), 0),
}
REMEDY = "No request is lost. Check that the cache's server runs and has memory left."
# What the client library raises on a malformed answer, beside its own errors.
FAILURES = (CacheError, OSError, ValueError, TypeError, EOFError)
Feature = Annotated[str, Path(pattern="^[a-z][a-z_]*$", max_length=40)]

log = logging.getLogger(__name__)


class Cache:
    """Bytes under keys of the form feature:name, each with a lifetime.

    `prefix` is put before each key: several services may share one server.
    """

    name = "cache"

    def __init__(self, url: str, *, prefix: str) -> None:
        self._prefix = prefix
        self._backend = Backend()
        self._backend.setup(url, **(LOCAL if url.startswith("mem:") else REMOTE))
        self._down_reason = ""
        self._pending_invalidations: set[str] = set()

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        await self._backend.close()

    def checks(self) -> list[Check]:
        return [Check(self.name, self._probe, REMEDY)]

    def gauges(self) -> dict[str, float]:
        return {}

    async def get(self, key: str) -> bytes | None:
        """The value under the key, or None. Records hit, miss, bypass or error in the stats."""
        if self._down_reason:
            request_stats.cache("bypass", self._down_reason)
            return None
        try:
            found = await self._backend.get(self._full(key))
        except FAILURES as error:
            self._mark_down(error)
            return None
        request_stats.cache("miss" if found is None else "hit")
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store the value, if the cache is up."""
        if not self._down_reason:
            try:
                await self._backend.set(self._full(key), value, expire=ttl_seconds)
            except FAILURES as error:
                self._mark_down(error)

    async def delete(self, key: str) -> None:
        """Delete the key; if the cache is down, its feature is cleared before it is used again."""
        if not self._down_reason:
            try:
                await self._backend.delete(self._full(key))
            except FAILURES as error:
                self._mark_down(error)
        if self._down_reason:
            self._pending_invalidations.add(key.partition(":")[0])

    async def clear(self, feature: str) -> int:
        """Delete all keys of one feature; return their number. Raises one of FAILURES."""
        keys = [key async for key in self._backend.scan(self._full(f"{feature}:*"))]
        if keys:
            await self._backend.delete_many(*keys)
        return len(keys)

    def _mark_down(self, error: Exception) -> None:
        self._down_reason = type(error.__cause__ or error).__name__
        request_stats.cache("error", self._down_reason)

    async def _probe(self) -> None:
        """Check that the cache stores values; if so, use it from now on.

        A ping proves too little: a full server answers it.
        """
        try:
            await self._backend.set(self._full("checked"), b"1", expire=60)
            for feature in tuple(self._pending_invalidations):
                await self.clear(feature)
                self._pending_invalidations.discard(feature)
        except FAILURES as error:
            cause = error.__cause__ or error
            raise CheckFailed(f"{type(cause).__name__}: {cause}") from error
        self._down_reason = ""

    def _full(self, key: str) -> str:
        return f"{self._prefix}:{key}"

    def operators_router(self) -> APIRouter:
        """The path that clears one feature's keys; whoever includes it adds a guard."""
        routes = APIRouter(include_in_schema=False)

        @routes.delete("/cache/{feature}")
        async def clear_cache(feature: Feature) -> dict[str, str | int]:
            try:
                cleared = await self.clear(feature)
            except FAILURES as error:
                raise Problem(503, "the cache is not available", retry_safe=True) from error
            log.info("cache cleared", extra={"feature": feature, "cleared": cleared})
            return {"feature": feature, "cleared": cleared}

        return routes
