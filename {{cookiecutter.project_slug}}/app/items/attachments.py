"""What may be attached to an item, and is it what it is said to be?

It is kept where its item is kept, so that transactions, backups and rollbacks need nothing more.
For an object store, write another `attachment` and `attach` in the store: nothing else knows.
"""

from typing import Any

import puremagic
from fastapi import Request
from pydantic import BaseModel, ConfigDict

from vitals.problems import Problem

ENDINGS = {"application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png"}
CONTENT = {"content": {t: {"schema": {"type": "string", "format": "binary"}} for t in ENDINGS}}
BODY: dict[str, Any] = {"requestBody": {"required": True, **CONTENT}}


class Attachment(BaseModel):
    """A file under a name of our own; that of the sender is never taken."""

    model_config = ConfigDict(frozen=True)

    media_type: str
    content: bytes


async def received(request: Request) -> Attachment:
    """Read the body as an attachment; the layers hold it to APP_MAX_UPLOAD_BYTES.

    Raises Problem 415 unless its type is one of ENDINGS, by its header and by its content.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in ENDINGS:
        expected = "one of " + ", ".join(ENDINGS)
        raise Problem(415, "this type can't be attached", expected=expected)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
    if _type_of(bytes(content)) != declared:
        raise Problem(415, "the content is of another type", expected=declared)
    return Attachment(media_type=declared, content=bytes(content))


def disposition(item_id: int, attachment: Attachment) -> str:
    """The header with which a browser saves it, and never shows it."""
    return f'attachment; filename="item-{item_id}{ENDINGS[attachment.media_type]}"'


def _type_of(content: bytes) -> str:
    """The type that the content itself shows; empty if it shows none."""
    try:
        return str(puremagic.from_string(content, mime=True))
    except (puremagic.PureError, ValueError):
        return ""
