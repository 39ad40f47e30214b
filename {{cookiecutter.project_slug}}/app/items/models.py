"""An item, and what a client may send."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field

from vitals.validation import Amount, Line, Model

MAX_ID = 2**63 - 1  # what a database keeps in eight bytes

ItemId = Annotated[int, Path(ge=1, le=MAX_ID, description="the id that POST /items answered")]


class NewItem(Model):
    """What a client sends to create or replace an item."""

    name: Line = Field(min_length=1, max_length=200, examples=["coffee"])
    price: Amount


class Item(NewItem):
    """An item as it is stored."""

    id: int


class ItemQuery(BaseModel):
    """Which items a client wants to see."""

    limit: int = Field(20, ge=1, le=100, description="how many at most")
    after: int = Field(0, ge=0, le=MAX_ID, description="the `next` of the page before")


class ItemPage(BaseModel):
    """Items in the order of their ids; `next` is the `after` of the next page, if there is one."""

    items: list[Item]
    next: int | None


class Attachment(BaseModel):
    """A file that belongs to an item. Its name is not stored."""

    media_type: str
    content: bytes
