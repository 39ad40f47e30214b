"""The engine for each kind of database: its driver, its limits, its options."""

from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
CONNECT_SECONDS = 2


def driver_url(url: str) -> URL:
    """The same URL with the driver that is used."""
    parsed = make_url(url)
    return parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))


def build_engine(given: str, size: int, deadline_seconds: float) -> AsyncEngine:
    """Make a pool of at most `size` connections to the database at a URL; none is opened yet."""
    url = driver_url(given)
    if url.drivername == DRIVERS["sqlite"]:
        options: dict[str, Any] = {"timeout": deadline_seconds}
        hooks: dict[str, Any] = {"connect": _set_pragmas}
    else:
        # The server's own limit ends a statement that nobody waits for any more.
        limits = {"statement_timeout": str(int(deadline_seconds * 1000))}
        options = {"timeout": CONNECT_SECONDS, "server_settings": limits}
        hooks = {"checkout": _refuse_closed, "invalidate": _abort}
    engine = create_async_engine(
        url, pool_size=size, max_overflow=0, pool_timeout=None, connect_args=options
    )
    for name, hook in hooks.items():
        event.listen(engine.sync_engine, name, hook)
    return engine


def _set_pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers beside a writer
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _refuse_closed(connection: Any, *_: object) -> None:
    """Detect before use that the server closed a connection, without a round trip."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _abort(connection: Any, *_: object) -> None:
    """Drop a connection at once; closing it politely takes 2 s with a server that hangs."""
    connection.driver_connection.terminate()
