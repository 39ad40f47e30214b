"""The interface of a store of items, and a store in memory."""

from itertools import count, islice
from typing import Protocol

from app.items.models import Attachment, Item, NewItem


class ItemStore(Protocol):
    """Stores items. A change is stored when its method returns."""

    async def page(self, limit: int, after: int) -> list[Item]:
        """At most `limit` items with an id above `after`, in the order of their ids."""

    async def get(self, item_id: int) -> Item | None:
        """The item, or None if there is none."""

    async def add(self, new: NewItem) -> Item:
        """Store a new item under an id that was never used before."""

    async def replace(self, item_id: int, new: NewItem) -> Item | None:
        """Replace the contents of an item; None if there is none."""

    async def remove(self, item_id: int) -> bool:
        """Delete the item and its attachment; False if there was none."""

    async def attachment(self, item_id: int) -> Attachment | None:
        """The item's attachment, or None if it has none."""

    async def attach(self, item_id: int, attachment: Attachment) -> bool:
        """Replace the attachment of an item; False if there is no such item."""


class MemoryItems:
    """Items in the memory of this process: lost when it stops."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}
        self._attachments: dict[int, Attachment] = {}
        self._ids = count(1)

    async def page(self, limit: int, after: int) -> list[Item]:
        return list(islice((item for i, item in self._items.items() if i > after), limit))

    async def get(self, item_id: int) -> Item | None:
        return self._items.get(item_id)

    async def add(self, new: NewItem) -> Item:
        item = Item(id=next(self._ids), **new.model_dump())
        self._items[item.id] = item
        return item

    async def replace(self, item_id: int, new: NewItem) -> Item | None:
        if item_id not in self._items:
            return None
        self._items[item_id] = Item(id=item_id, **new.model_dump())
        return self._items[item_id]

    async def remove(self, item_id: int) -> bool:
        self._attachments.pop(item_id, None)
        return self._items.pop(item_id, None) is not None

    async def attachment(self, item_id: int) -> Attachment | None:
        return self._attachments.get(item_id)

    async def attach(self, item_id: int, attachment: Attachment) -> bool:
        if item_id in self._items:
            self._attachments[item_id] = attachment
        return item_id in self._items
