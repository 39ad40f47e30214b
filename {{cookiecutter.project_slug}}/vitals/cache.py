"""The cache: when it fails, requests take longer but succeed.

After several failures in a row it is bypassed until its check passes. A value is JSON, signed with
its key and a generation: what we did not write for this key since all were deleted is a miss.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from itertools import chain
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError

from vitals import request_stats
from vitals.cache_stores import FAILURES, LocalStore, RemoteStore, Store
from vitals.dependency import Check, CheckFailed
from vitals.problems import Problem

REMEDY = "No request is lost. Check that the cache's server runs and has memory left."
SIGNATURE = 16  # bytes
GENERATION_SECONDS = 30 * 86_400  # nothing stays on a server when its service is gone
log = logging.getLogger(__name__)
T = TypeVar("T")


class Values(Generic[T]):
    """Values of one type, by name. Made by `Cache.values`."""

    def __init__(self, store: Store, key: str, kind: Any, ttl: float, secret: bytes) -> None:
        self._store, self._loading = store, dict[bytes, asyncio.Future[T | None]]()
        self._type, self._ttl_seconds = TypeAdapter[T](kind), ttl
        # No part of the key: what one release deletes is deleted for another beside it too.
        self._secret = secret + hashlib.sha256(repr(self._type.json_schema()).encode()).digest()
        name = getattr(kind, "__name__", "")
        self._prefix, self._generation_key = f"{key}:{name}:", f"{key}#{name}".encode()
        self.stale = False  # a change may not have reached the store: clear it before it is used

    async def get(self, name: object, load: Callable[[], Awaitable[T | None]]) -> T | None:
        """The value under a name; if it isn't cached, that of `load`, cached unless it is None.

        Of calls at the same time one loads, and all get the same object. Records hit, miss,
        bypass or error in the stats. What a type's JSON leaves out (SecretStr) is not cached.
        """
        key, generation, found = self._key(name), None, None
        reason = self._store.failing or ("a change may be lost" if self.stale else "")
        result: request_stats.CacheResult = "bypass" if reason else "miss"
        if not reason:
            try:
                generation, found = await self._store.read(self._generation_key, key)
                generation = generation or await self._renew()
            except FAILURES as error:
                result, reason = "error", type(error).__name__
        value = self._verified(key, generation, found) if generation and found else None
        request_stats.cache(result if value is None else "hit", reason)
        return await self._load(key, generation, load) if value is None else value

    async def delete(self, name: object) -> None:
        """Delete a value, after the commit. If the cache fails, all go before the next use."""
        self._loading.pop(self._key(name), None)  # what is being loaded is from before the change
        await asyncio.shield(self._delete(self._key(name)))

    async def delete_all(self) -> None:
        """Delete all values, as `delete` does one: after a change of what lists are made of."""
        self._loading.clear()
        await asyncio.shield(self._delete(None))

    async def clear(self) -> None:
        """Make all values misses, in one step. Raises RedisError or OSError."""
        self._loading.clear()
        self.stale = False
        try:
            await self._renew()
        except BaseException:
            self.stale = True
            raise

    async def _renew(self) -> bytes:
        generation = secrets.token_hex(8).encode()
        await self._store.write(self._generation_key, generation, GENERATION_SECONDS)
        return generation

    async def _delete(self, key: bytes | None) -> None:
        try:
            self.stale |= bool(self._store.failing)
            if not self._store.failing:
                await (self._store.delete(key) if key else self._renew())
        except FAILURES:
            self.stale = True

    async def _load(
        self, key: bytes, generation: bytes | None, load: Callable[[], Awaitable[T | None]]
    ) -> T | None:
        while (running := self._loading.get(key)) is not None:
            await asyncio.wait([running])
            if not running.cancelled():
                return running.result()
        ours: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._loading[key] = ours
        try:
            value = await load()
            if generation and value is not None and self._loading.get(key) is ours:
                await self._write(key, generation, value)
            ours.set_result(value)
        except Exception as error:
            ours.set_exception(error)
        finally:
            ours.cancel()  # if this caller was cancelled, another one loads
            if self._loading.get(key) is ours:
                del self._loading[key]
        return ours.result()

    async def _write(self, key: bytes, generation: bytes, value: T) -> None:
        json = self._type.dump_json(value, by_alias=True, round_trip=True)
        try:
            await self._store.write(key, self._signed(key, generation, json), self._ttl_seconds)
        except FAILURES:  # it may arrive later, after the next change
            self.stale = True

    def _verified(self, key: bytes, generation: bytes, found: bytes) -> T | None:
        try:
            ours = secrets.compare_digest(found, self._signed(key, generation, found[SIGNATURE:]))
            return self._type.validate_json(found[SIGNATURE:]) if ours else None
        except ValidationError:  # written by a release that was less strict
            return None

    def _signed(self, key: bytes, generation: bytes, content: bytes) -> bytes:
        whole = b"%d:%b:%d:%b:%b" % (len(generation), generation, len(key), key, content)
        return hashlib.blake2b(whole, key=self._secret, digest_size=SIGNATURE).digest() + content

    def _key(self, name: object) -> bytes:
        return f"{self._prefix}{name}".encode(errors="backslashreplace")


class Cache:
    """Values of several features. Several services may share one server: each has its `prefix`."""

    name = "cache"

    def __init__(self, url: str, *, prefix: str) -> None:
        self._store = LocalStore() if url.startswith("mem:") else RemoteStore(url)
        self._prefix = prefix
        # Who may write on the server and doesn't know our password can't sign a value.
        self._secret = hashlib.sha256((urlsplit(url).password or "").encode()).digest()
        self._values: dict[str, list[Values[Any]]] = {}

    def values(self, feature: str, kind: type[T], *, ttl_seconds: float) -> Values[T]:
        """Declare the values of one type of a feature: once, when the service is built."""
        key = f"{{{self._prefix}:{feature}}}"  # in braces: a cluster keeps a feature on one node
        values = Values[T](self._store, key, kind, ttl_seconds, self._secret)
        self._values.setdefault(feature, []).append(values)
        return values

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        await self._store.close()

    def checks(self) -> list[Check]:
        return [Check(self.name, self._probe, REMEDY)]

    def gauges(self) -> dict[str, float]:
        return {}

    async def _probe(self) -> None:
        """Check that it stores and reads (a full server answers a ping); then use it again."""
        try:
            await self._store.write(key := f"{{{self._prefix}:}}checked".encode(), b"1", 60)
            await self._store.read(key)
            for values in chain.from_iterable(self._values.values()):
                if values.stale:
                    await values.clear()
        except FAILURES as error:
            self._store.failing = name = type(error).__name__
            raise CheckFailed(f"{name}: {str(error) or 'no answer in time'}") from error
        self._store.failing = ""

    def operators_router(self) -> APIRouter:
        """The path that clears one feature."""
        routes = APIRouter(include_in_schema=False)

        @routes.delete("/cache/{feature}")
        async def clear_cache(feature: str) -> dict[str, str | int | None]:
            if feature not in self._values:
                raise Problem(404, "no such cache", expected=f"one of {sorted(self._values)}")
            try:
                for values in self._values[feature]:
                    await values.clear()
                cleared = await self._store.remove(f"{{{self._prefix}:{feature}}}:".encode())
            except FAILURES as error:
                raise Problem(503, "the cache is not available", retry_safe=True) from error
            log.info("cache cleared", extra={"feature": feature, "cleared": cleared})
            return {"feature": feature, "cleared": cleared}

        return routes
