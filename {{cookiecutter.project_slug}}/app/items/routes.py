"""How does a client work with items?"""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.errors import Problem
from app.items.models import MAX_ID, Item, ItemId, ItemPage, NewItem
from app.items.store import ItemStore


def router(store: ItemStore) -> APIRouter:
    """The paths under /items, working on `store`."""
    routes = APIRouter(prefix="/items", tags=["items"])

    @routes.get("")
    async def list_items(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    ) -> ItemPage:
        """The items after an id, a page at a time."""
        found = await store.page(limit + 1, after)
        items = found[:limit]
        return ItemPage(items=items, next=items[-1].id if len(found) > limit else None)

    @routes.get("/{item_id}")
    async def read_item(item_id: ItemId) -> Item:
        """One item."""
        return _found(await store.get(item_id), item_id)

    @routes.post("", status_code=201)
    async def create_item(new: NewItem, response: Response) -> Item:
        """Keep a new item; its address is in the Location header."""
        item = await store.add(new)
        response.headers["Location"] = f"/items/{item.id}"
        return item

    @routes.put("/{item_id}")
    async def replace_item(item_id: ItemId, new: NewItem) -> Item:
        """Put other contents in the item's place."""
        return _found(await store.replace(item_id, new), item_id)

    @routes.delete("/{item_id}", status_code=204)
    async def delete_item(item_id: ItemId) -> None:
        """Forget the item."""
        if not await store.remove(item_id):
            _found(None, item_id)

    return routes


def _found(item: Item | None, item_id: int) -> Item:
    if item is None:
        raise Problem(
            404, f"item {item_id} does not exist", expected="an id that POST /items has answered"
        )
    return item
