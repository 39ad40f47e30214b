"""Databases, caches and clients: built here, opened in this order, closed in reverse order."""

from dataclasses import dataclass

import vitals
from app.items.store import ItemStore, MemoryItems  # example
from app.settings import Settings

# jinja: if cookiecutter.database
from app.items.store_database import DatabaseItems  # example
from app.tables import MIGRATIONS
from vitals.database import Database

# jinja: endif
# jinja: if cookiecutter.cache
from app.items.store_cached import CachedItems  # example
from vitals.cache import Cache

# jinja: endif
# While a required check fails, this replica gets no requests; if all replicas use the same server,
# none of them does. While an optional check fails, only requests that need its server may fail.
REQUIRED_CHECKS: tuple[str, ...] = (
    # only what every request needs
    # jinja: if cookiecutter.database
    "database",
    "migrations",
    # jinja: endif
)


@dataclass(frozen=True)
class Dependencies:
    """All dependencies, and the stores that features use."""

    all: tuple[vitals.Dependency, ...]
    items: ItemStore  # example


def build_dependencies(settings: Settings) -> Dependencies:
    """Build all dependencies. `vitals.install` opens them when the service starts."""
    used: list[vitals.Dependency] = []
    items: ItemStore = MemoryItems()  # example
    # jinja: if cookiecutter.database
    database = Database(
        settings.database_url.get_secret_value(),
        migrations=MIGRATIONS,
        pool_size=settings.database_pool_size,
        deadline_seconds=settings.request_seconds,
        slow_query_ms=settings.slow_query_ms,
    )
    used.append(database)
    items = DatabaseItems(database)  # example
    # jinja: endif
    # jinja: if cookiecutter.cache
    cache = Cache(
        settings.cache_url.get_secret_value(),
        prefix="{{ cookiecutter.project_slug }}",
    )
    used.append(cache)
    items = CachedItems(items, cache, ttl_seconds=settings.cache_ttl_seconds)  # example
    # jinja: endif
    return Dependencies(
        all=tuple(used),
        items=items,  # example
    )
