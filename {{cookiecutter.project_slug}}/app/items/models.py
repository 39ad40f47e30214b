"""What is an item, and what may a client send?"""

from decimal import Decimal
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

MAX_ID = 2**63 - 1  # what a database keeps in eight bytes

Price = Annotated[
    Decimal,
    Field(gt=0, max_digits=10, decimal_places=2, examples=[12.5]),
    PlainSerializer(float, when_used="json"),
]
ItemId = Annotated[int, Path(ge=1, le=MAX_ID, description="the id that POST /items answered")]


class NewItem(BaseModel):
    """What a client sends to create or replace an item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200, examples=["coffee"])
    price: Price


class Item(NewItem):
    """An item as it is kept."""

    id: int


class ItemPage(BaseModel):
    """Items in the order of their ids; `next` is the `after` of the next page, if there is one."""

    items: list[Item]
    next: int | None
