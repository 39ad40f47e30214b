"""Reports on the items, with two deliberate faults that the status page finds."""

import asyncio
from decimal import Decimal
from typing import Any, Protocol

from fastapi import APIRouter

from vitals import PUBLIC

SLOW_SECONDS = 1.2


class Item(Protocol):
    """The fields of an item that a report reads."""

    @property
    def id(self) -> int: ...
    @property
    def price(self) -> Decimal: ...


class Items(Protocol):
    """A store that returns items page by page."""

    async def page(self, limit: int, after: int) -> list[Any]: ...


def router(items: Items) -> APIRouter:
    """The routes under /reports."""
    stored: Items = getattr(items, "_items", items)  # a report wants what is stored, not the cache
    routes = APIRouter(prefix="/reports")

    @routes.get("/prices", openapi_extra=PUBLIC)
    async def prices() -> list[float]:
        """The price of each item, one query for each: an N+1."""
        found: list[Item] = await stored.page(40, 0)
        pages = [await stored.page(1, item.id - 1) for item in found]
        return [float(page[0].price) for page in pages]

    @routes.get("/sales", openapi_extra=PUBLIC)
    async def sales() -> dict[str, int]:
        """The number of sales, from a slow source."""
        await asyncio.sleep(SLOW_SECONDS)
        return {"sold": 0}

    return routes
