"""The models of items: request bodies, query parameters and answers."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field

from vitals.validation import Amount, Line, Model

MAX_ID = 2**63 - 1  # the largest BIGINT

ItemId = Annotated[int, Path(ge=1, le=MAX_ID, description="an id that POST /items returned")]


class NewItem(Model):
    """The request body that creates or replaces an item."""

    name: Line = Field(min_length=1, max_length=200, examples=["coffee"])
    price: Amount


class Item(NewItem):
    """An item as it is stored."""

    id: int


class ItemQuery(BaseModel):
    """The query parameters of a list of items."""

    limit: int = Field(20, ge=1, le=100, description="how many at most")
    after: int = Field(0, ge=0, le=MAX_ID, description="the `next` of the previous page")


class ItemPage(BaseModel):
    """Items in the order of their ids; `next` is the `after` of the next page, or null."""

    items: list[Item]
    next: int | None


class Attachment(BaseModel):
    """A file that belongs to an item. Its name is not stored."""

    media_type: str
    content: bytes
