"""A cache in front of another store of items."""

from functools import partial

from app.items.models import Item, NewItem
from app.items.store import ItemStore
from vitals.cache import Cache


class CachedItems:
    """Reads items and pages of them through the cache. Attachments are not cached.

    A change deletes the item's value and all pages. A read in another process at the same time may
    cache the old item, for at most `ttl_seconds`.
    """

    def __init__(self, items: ItemStore, cache: Cache, *, ttl_seconds: int) -> None:
        self._items = items
        self._cached = cache.values("items", Item, ttl_seconds=ttl_seconds)
        self._pages = cache.values("items", list[Item], ttl_seconds=ttl_seconds)
        self.attachment, self.attach = items.attachment, items.attach  # not cached

    async def page(self, limit: int, after: int) -> list[Item]:
        load = partial(self._items.page, limit, after)
        return await self._pages.get(f"{limit}:{after}", load) or []

    async def get(self, item_id: int) -> Item | None:
        return await self._cached.get(item_id, partial(self._items.get, item_id))

    async def add(self, new: NewItem) -> Item:
        try:
            return await self._items.add(new)
        finally:  # also after an error: the change may have been stored
            await self._pages.delete_all()

    async def replace(self, item_id: int, new: NewItem) -> Item | None:
        try:
            return await self._items.replace(item_id, new)
        finally:
            await self._changed(item_id)

    async def remove(self, item_id: int) -> bool:
        try:
            return await self._items.remove(item_id)
        finally:
            await self._changed(item_id)

    async def _changed(self, item_id: int) -> None:
        await self._cached.delete(item_id)
        await self._pages.delete_all()
