"""The paths under /items."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, Security, UploadFile

from app.items.models import Attachment, Item, ItemId, ItemPage, ItemQuery, NewItem
from app.items.store import ItemStore
from vitals import PUBLIC, Problem, caller

# Allowed attachments: media type -> (first bytes of the file, extension of its name).
MEDIA_TYPES = {
    "application/pdf": (b"%PDF-", ".pdf"),
    "image/jpeg": (b"\xff\xd8\xff", ".jpeg"),
    "image/png": (b"\x89PNG\r\n", ".png"),
}


def router(store: ItemStore) -> APIRouter:
    """Build the routes. The store is an argument, so that a test passes its own."""
    routes = APIRouter(prefix="/items", tags=["items"])
    may_write = [Security(caller, scopes=["items:write"])]

    @routes.get("", openapi_extra=PUBLIC)
    async def list_items(query: Annotated[ItemQuery, Query()]) -> ItemPage:
        """List items, one page at a time."""
        found = await store.page(query.limit + 1, query.after)
        items = found[: query.limit]
        return ItemPage(items=items, next=items[-1].id if len(found) > query.limit else None)

    @routes.get("/{item_id}", openapi_extra=PUBLIC)
    async def read_item(item_id: ItemId) -> Item:
        """Read an item."""
        if (item := await store.get(item_id)) is None:
            raise _not_found(f"item {item_id}")
        return item

    @routes.post("", status_code=201, dependencies=may_write)
    async def create_item(new: NewItem, response: Response) -> Item:
        """Store a new item; its address is in the Location header."""
        item = await store.add(new)
        response.headers["Location"] = f"/items/{item.id}"
        return item

    @routes.put("/{item_id}", dependencies=may_write)
    async def replace_item(item_id: ItemId, new: NewItem) -> Item:
        """Replace the contents of an item."""
        if (item := await store.replace(item_id, new)) is None:
            raise _not_found(f"item {item_id}")
        return item

    @routes.delete("/{item_id}", status_code=204, dependencies=may_write)
    async def delete_item(item_id: ItemId) -> None:
        """Delete the item and its attachment."""
        if not await store.remove(item_id):
            raise _not_found(f"item {item_id}")

    @routes.get("/{item_id}/attachment", dependencies=may_write, response_class=Response)
    async def read_attachment(item_id: ItemId) -> Response:
        """Download the attachment of an item."""
        if (attachment := await store.attachment(item_id)) is None:
            raise _not_found(f"an attachment of item {item_id}")
        extension = MEDIA_TYPES[attachment.media_type][1]
        headers = {"Content-Disposition": f'attachment; filename="item-{item_id}{extension}"'}
        return Response(attachment.content, 200, headers, attachment.media_type)

    @routes.put("/{item_id}/attachment", status_code=204, dependencies=may_write)
    async def attach(item_id: ItemId, file: UploadFile) -> None:
        """Upload the attachment of an item; it replaces the one before."""
        media_type, content = file.content_type or "", await file.read()
        if media_type not in MEDIA_TYPES:
            expected = "one of " + ", ".join(MEDIA_TYPES)
            raise Problem(415, "this media type can't be attached", expected=expected)
        if not content.startswith(MEDIA_TYPES[media_type][0]):
            raise Problem(415, "the file has another type than declared", expected=media_type)
        if not await store.attach(item_id, Attachment(media_type=media_type, content=content)):
            raise _not_found(f"item {item_id}")

    return routes


def _not_found(what: str) -> Problem:
    return Problem(404, f"{what} does not exist", expected="an id that POST /items returned")
