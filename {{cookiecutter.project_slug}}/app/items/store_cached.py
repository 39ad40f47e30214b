"""A cache in front of another store of items."""

from pydantic import ValidationError

from app.items.models import Item, NewItem
from app.items.store import ItemStore
from vitals.cache import Cache

CACHE_VERSION = 1  # increase it when Item changes: two releases may share one cache


class CachedItems:
    """Reads single items through the cache. Pages and attachments are not cached.

    A change deletes the key of its item. A read at the same time may cache the old item, for at
    most `ttl_seconds`.
    """

    def __init__(self, items: ItemStore, cache: Cache, *, ttl_seconds: int) -> None:
        self._items = items
        self._cache = cache
        self._ttl_seconds = ttl_seconds
        self.page, self.add = items.page, items.add  # not cached
        self.attachment, self.attach = items.attachment, items.attach

    async def get(self, item_id: int) -> Item | None:
        if (cached := _parsed(await self._cache.get(_key(item_id)))) is not None:
            return cached
        item = await self._items.get(item_id)
        if item is not None:
            await self._cache.set(_key(item_id), item.model_dump_json().encode(), self._ttl_seconds)
        return item

    async def replace(self, item_id: int, new: NewItem) -> Item | None:
        try:
            return await self._items.replace(item_id, new)
        finally:  # also after an error: the change may have been stored
            await self._cache.delete(_key(item_id))

    async def remove(self, item_id: int) -> bool:
        try:
            return await self._items.remove(item_id)
        finally:
            await self._cache.delete(_key(item_id))


def _key(item_id: int) -> str:
    return f"items:{CACHE_VERSION}:{item_id}"


def _parsed(value: bytes | None) -> Item | None:
    """The cached item; None if the value is not one."""
    try:
        return Item.model_validate_json(value) if value else None
    except ValidationError:
        return None
