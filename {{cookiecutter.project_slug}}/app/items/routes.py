"""How does a client work with items?"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.items import attachments
from app.items.models import Item, ItemId, ItemPage, Listed, NewItem
from app.items.store import ItemStore
from vitals import validation
from vitals.problems import Problem, documented

UPLOADS = ("/attachment",)  # how the paths end to which files are sent
PUBLIC: dict[str, Any] = {"security": []}


def router(store: ItemStore, allows: Callable[[str], Any]) -> APIRouter:
    """The paths under /items, working on `store`; `allows` makes the guard for a scope."""
    routes = validation.router("/items")
    writers = [Depends(allows("items:write"))]

    @routes.get("", openapi_extra=PUBLIC)
    async def list_items(asked: Annotated[Listed, Query()]) -> ItemPage:
        """The items after an id, a page at a time."""
        found = await store.page(asked.limit + 1, asked.after)
        items = found[: asked.limit]
        return ItemPage(items=items, next=items[-1].id if len(found) > asked.limit else None)

    @routes.get("/{item_id}", openapi_extra=PUBLIC)
    async def read_item(item_id: ItemId) -> Item:
        """One item."""
        return _found(await store.get(item_id), item_id)

    @routes.post("", status_code=201, dependencies=writers)
    async def create_item(new: NewItem, response: Response) -> Item:
        """Keep a new item; its address is in the Location header."""
        item = await store.add(new)
        response.headers["Location"] = f"/items/{item.id}"
        return item

    @routes.put("/{item_id}", dependencies=writers)
    async def replace_item(item_id: ItemId, new: NewItem) -> Item:
        """Put other contents in the item's place."""
        return _found(await store.replace(item_id, new), item_id)

    @routes.delete("/{item_id}", status_code=204, dependencies=writers)
    async def delete_item(item_id: ItemId) -> None:
        """Forget the item and its attachment."""
        if not await store.remove(item_id):
            _found(None, item_id)

    add_attachments(routes, store, writers)
    return routes


def add_attachments(routes: APIRouter, store: ItemStore, writers: list[Any]) -> None:
    """The paths of an item's attachment."""
    path = "/{item_id}/attachment"
    sent: dict[int | str, dict[str, Any]] = {200: attachments.CONTENT}

    @routes.get(path, dependencies=writers, response_class=Response, responses=sent)
    async def read_attachment(item_id: ItemId) -> Response:
        """The attachment, to be saved and not to be shown."""
        attachment = await store.attachment(item_id)
        if attachment is None:
            raise Problem(404, f"item {item_id} has no attachment", expected="one that has")
        headers = {"Content-Disposition": attachments.disposition(item_id, attachment)}
        return Response(attachment.content, 200, headers, attachment.media_type)

    @routes.put(
        path,
        status_code=204,
        dependencies=writers,
        responses=documented(415),
        openapi_extra=attachments.BODY,
    )
    async def attach(item_id: ItemId, request: Request) -> None:
        """Put a file in the attachment's place. Its name and other metadata are not kept."""
        if not await store.attach(item_id, await attachments.received(request)):
            _found(None, item_id)


def _found(item: Item | None, item_id: int) -> Item:
    if item is None:
        raise Problem(
            404, f"item {item_id} does not exist", expected="an id that POST /items has answered"
        )
    return item
