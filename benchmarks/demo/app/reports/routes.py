"""What do reports say of the items? Two faults on purpose, for the status page to point at."""

import asyncio
from decimal import Decimal
from typing import Any, Protocol

from fastapi import APIRouter
from vitals import validation

PUBLIC: dict[str, Any] = {"security": []}
SLOW_SECONDS = 1.2


class Item(Protocol):
    """What a report needs of an item."""

    @property
    def id(self) -> int: ...
    @property
    def price(self) -> Decimal: ...


class Items(Protocol):
    """A store that answers pages of items."""

    async def page(self, limit: int, after: int) -> list[Any]: ...


def router(items: Items) -> APIRouter:
    """The paths under /reports."""
    routes = validation.router("/reports")

    @routes.get("/prices", openapi_extra=PUBLIC)
    async def prices() -> list[float]:
        """The price of each item, asked for one by one: an N+1."""
        found: list[Item] = await items.page(40, 0)
        pages = [await items.page(1, item.id - 1) for item in found]
        return [float(page[0].price) for page in pages]

    @routes.get("/sales", openapi_extra=PUBLIC)
    async def sales() -> dict[str, int]:
        """What was sold, from somewhere that takes its time."""
        await asyncio.sleep(SLOW_SECONDS)
        return {"sold": 0}

    return routes
