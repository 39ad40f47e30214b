"""What lies outside the process: built here, opened in this order, closed in reverse."""

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
# A required check that fails takes this replica out of service, and with a shared dependency all
# replicas at once; an optional one leaves it in, and its failure reaches the users who need it.
REQUIRED_CHECKS: tuple[str, ...] = (
    # only what no request can do without
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
    """Build everything that lies outside the process. Nothing is opened yet."""
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
    cache = Cache(settings.cache_url.get_secret_value(), prefix="{{ cookiecutter.project_slug }}")
    used.append(cache)
    items = CachedItems(items, cache, ttl_seconds=settings.cache_ttl_seconds)  # example
    # jinja: endif
    return Dependencies(
        all=tuple(used),
        items=items,  # example
    )
