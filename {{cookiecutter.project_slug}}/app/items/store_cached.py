"""Items read through the cache: which keys, how long, and when they are deleted."""

from pydantic import ValidationError

from app.items.models import Item, NewItem
from app.items.store import ItemStore
from vitals.cache import Cache

CACHE_VERSION = 1  # increase it when Item changes: two versions may share one cache


class CachedItems:
    """A store in front of another one. Single items are cached, pages and attachments are not.

    A change deletes the key of its item. A reader that is overtaken by a change may cache the old
    item, for at most `ttl_seconds`.
    """

    def __init__(self, items: ItemStore, cache: Cache, *, ttl_seconds: int) -> None:
        self._items = items
        self._cache = cache
        self._ttl_seconds = ttl_seconds
        self.page, self.add = items.page, items.add
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
        finally:  # an error may leave open whether it was stored
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
