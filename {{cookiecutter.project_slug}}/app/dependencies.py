"""What is this service built from, and in which order is it opened?"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter

from vitals.health.checks import Check
from app.items import store
from vitals.settings import Settings

# jinja: if cookiecutter.database
from vitals.database import Database
from app.items.store_database import DatabaseItems

# jinja: endif
# jinja: if cookiecutter.cache
from vitals.cache import Cache, router as cache_router
from app.items.store_cached import CachedItems

# jinja: endif

# A required check that fails takes this replica out of service, and with a shared dependency all
# replicas at once; an optional one leaves it in, and its failure reaches the users who need it.
REQUIRED: frozenset[str] = frozenset(
    [
        # so: only what no request can do without
        # jinja: if cookiecutter.database
        "database",
        "migrations",
        # jinja: endif
    ]
)


class Lasting(Protocol):
    """What is opened at the start and closed at the end."""

    async def open(self) -> None:
        """Get ready to be used; a dependency that is away is no error: its check says so."""

    async def close(self) -> None:
        """Give back what `open` took."""


class Resource(Lasting, Protocol):
    """Something outside the process."""

    name: str

    def checks(self) -> list[Check]:
        """The questions whose answers tell whether it can be used."""

    def gauges(self) -> Mapping[str, float]:
        """What it holds now, under the names of /metrics."""


@dataclass(frozen=True)
class Resources:
    """What lies outside the process, in the order of opening, and the stores that use it."""

    outside: tuple[Resource, ...]
    items: store.ItemStore
    operators: tuple[APIRouter, ...]  # paths for operators only

    def checks(self) -> Iterable[Check]:
        """The checks of all resources."""
        return [check for resource in self.outside for check in resource.checks()]


def build_resources(settings: Settings) -> Resources:
    """Build everything that lies outside the process. Nothing is opened yet."""
    outside: list[Resource] = []
    operators: list[APIRouter] = []
    items: store.ItemStore
    # jinja: if not cookiecutter.database
    items = store.MemoryItems()
    # jinja: else
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        deadline_seconds=settings.request_seconds,
        slow_query_ms=settings.slow_query_ms,
    )
    outside.append(database)
    items = DatabaseItems(database)
    # jinja: endif
    # jinja: if cookiecutter.cache
    cache = Cache(settings.cache_url.get_secret_value())
    outside.append(cache)
    operators.append(cache_router(cache))
    items = CachedItems(items, cache, ttl_seconds=settings.cache_ttl_seconds)
    # jinja: endif
    return Resources(
        outside=tuple(outside),
        items=items,
        operators=tuple(operators),
    )


@asynccontextmanager
async def opened(parts: Iterable[Lasting]) -> AsyncIterator[None]:
    """Open what has to be opened, in order; close it in reverse."""
    async with AsyncExitStack() as stack:
        for part in parts:
            await part.open()
            stack.push_async_callback(part.close)
        yield
