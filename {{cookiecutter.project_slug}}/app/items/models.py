"""What is an item, and what may a client send?"""

from decimal import Decimal
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from vitals.validation import Incoming, Line, Number, Whole

MAX_ID = 2**63 - 1  # what a database keeps in eight bytes

PRICE = {
    "type": "number",
    "minimum": 0.01,
    "maximum": 99_999_999.99,
    "description": "at most two decimal places",
    "examples": [12.5],
}
Price = Annotated[
    Decimal,
    Field(strict=False, gt=0, max_digits=10, decimal_places=2),
    Number,
    PlainSerializer(float, when_used="json"),
    WithJsonSchema(PRICE),
]
ItemId = Annotated[
    int, Path(ge=1, le=MAX_ID, description="the id that POST /items answered"), Whole
]


class NewItem(Incoming):
    """What a client sends to create or replace an item."""

    name: Line = Field(min_length=1, max_length=200, examples=["coffee"])
    price: Price


class Item(NewItem):
    """An item as it is kept."""

    id: int


class Listed(Incoming):
    """Which items a client wants to see."""

    limit: Annotated[int, Whole] = Field(20, ge=1, le=100, description="how many at most")
    after: Annotated[int, Whole] = Field(
        0, ge=0, le=MAX_ID, description="the `next` of the page before"
    )


class ItemPage(BaseModel):
    """Items in the order of their ids; `next` is the `after` of the next page, if there is one."""

    items: list[Item]
    next: int | None
