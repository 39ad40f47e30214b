"""Items read through the cache. Which keys, how long, and when they are forgotten: only here."""

from pydantic import ValidationError

from app.items.attachments import Attachment
from app.items.models import Item, NewItem
from app.items.store import ItemStore
from vitals.cache import Cache

SHAPE = 1  # add one when Item changes: two versions of the service may share one cache


class CachedItems:
    """A store in front of another one. Single items are cached, pages and attachments are not.

    A change forgets its item after it is kept. A reader that is overtaken by a change may keep
    what was true before it, for at most `ttl_seconds`.
    """

    def __init__(self, items: ItemStore, cache: Cache, *, ttl_seconds: int) -> None:
        self._items = items
        self._cache = cache
        self._ttl_seconds = ttl_seconds

    async def page(self, limit: int, after: int) -> list[Item]:
        return await self._items.page(limit, after)

    async def get(self, item_id: int) -> Item | None:
        if (kept := _read(await self._cache.get(_key(item_id)))) is not None:
            return kept
        item = await self._items.get(item_id)
        if item is not None:
            await self._cache.set(_key(item_id), item.model_dump_json().encode(), self._ttl_seconds)
        return item

    async def add(self, new: NewItem) -> Item:
        return await self._items.add(new)

    async def replace(self, item_id: int, new: NewItem) -> Item | None:
        try:
            return await self._items.replace(item_id, new)
        finally:  # an error may leave open whether it was kept
            await self._cache.delete(_key(item_id))

    async def remove(self, item_id: int) -> bool:
        try:
            return await self._items.remove(item_id)
        finally:
            await self._cache.delete(_key(item_id))

    async def attachment(self, item_id: int) -> Attachment | None:
        return await self._items.attachment(item_id)

    async def attach(self, item_id: int, attachment: Attachment) -> bool:
        return await self._items.attach(item_id, attachment)


def _key(item_id: int) -> str:
    return f"items:{SHAPE}:{item_id}"


def _read(kept: bytes | None) -> Item | None:
    """What was kept; None if it is not what we keep."""
    try:
        return Item.model_validate_json(kept) if kept else None
    except ValidationError:
        return None
