"""The engine for each kind of database: its driver, its limits, its options."""

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import URL, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from vitals import request_stats
from vitals.connection_url import checked, driver_options

CONNECT_SECONDS = 2
log = logging.getLogger(__name__)


def build_engine(
    given: str, size: int, limits: Mapping[str, int], connect_seconds: float = CONNECT_SECONDS
) -> AsyncEngine:
    """Make a pool of at most `size` connections to the database at a URL; none is opened yet.

    `limits` are PostgreSQL's settings, in milliseconds. Raises ValueError if the URL can't work.
    """
    url = checked(given, "postgresql", "postgres", "sqlite")
    if url.startswith("sqlite"):
        name = URL.create("sqlite+aiosqlite", database=url.removeprefix("sqlite:///"))
        options: dict[str, Any] = {"timeout": max(limits.values(), default=5000) / 1000}
        hooks: dict[str, Any] = {"connect": _set_pragmas}
    else:
        name, (options, is_pooled) = URL.create("postgresql+asyncpg"), driver_options(url)
        options = {"timeout": connect_seconds} | options
        connect = _Connector(options, limits, is_pooled).connect
        hooks = {"do_connect": connect, "checkout": _refuse_closed, "invalidate": _abort}
    engine = create_async_engine(
        name, pool_size=size, max_overflow=0, pool_timeout=None, connect_args=options
    )
    for name_of_event, hook in hooks.items():
        event.listen(engine.sync_engine, name_of_event, hook)
    return engine


class _PooledConnection(asyncpg.Connection):
    """A connection through a pooler such as PgBouncer: each transaction may have another server.

    So statements have no name, and each BEGIN sets the limits.
    """

    limits: Mapping[str, int] = {}

    async def prepare(self, query: str, **options: Any) -> Any:
        if not self.is_in_transaction():  # the next message may reach another server
            message = "a statement outside transactions can't pass a pooler such as PgBouncer"
            raise asyncpg.InterfaceError(f"{message}: use the URL of the database itself")
        return await super().prepare(query, **options | {"name": ""})

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN"):
            query += "".join(f" SET LOCAL {name} = {ms};" for name, ms in self.limits.items())
        return await super().execute(query, *args, **options)


# The first is the class of asyncpg, the second its cache, the third that of SQLAlchemy.
POOLED = {
    "connection_class": _PooledConnection,
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
}


class _Connector:
    """Connects to PostgreSQL, and remembers whether a pooler is in between."""

    def __init__(self, options: dict[str, Any], limits: Mapping[str, int], is_pooled: bool) -> None:
        self._options, self._limits, self._is_pooled = options, limits, is_pooled

    def connect(self, dialect: Any, *_: object) -> Any:
        started, options = time.perf_counter(), self._options
        try:
            if not self._is_pooled:
                connection = dialect.connect(**options)
                if self._is_direct(connection):
                    return connection
                self._is_pooled = True
            connection = dialect.connect(**options, **POOLED)
            connection.driver_connection.limits = self._limits
            return connection  # noqa: TRY300
        except asyncio.CancelledError:
            _turn_hosts(options)
            raise
        except Exception as error:  # whatever it is, the database can't be used now
            _turn_hosts(options)
            cause = error if isinstance(error, OSError) else error.__cause__ or error
            reason = str(cause) or "no answer in time"
            failure = dialect.dbapi.OperationalError(f"{type(cause).__name__}: {reason}")
            failure.sqlstate = "08001"  # unable to establish a connection
            raise failure from error
        finally:
            request_stats.add_call("db_connect", (time.perf_counter() - started) * 1000)

    def _is_direct(self, connection: Any) -> bool:
        """Set the limits if the server itself is at the other end.

        A pooler gives each client a process ID of its own, or none. It refuses limits that come
        with the connection, and would keep these for somebody else.
        """
        limits = (f"set_config('{name}', '{ms}', false)" for name, ms in self._limits.items())
        driver = connection.driver_connection
        answer: object = None
        query = f"SELECT {', '.join(limits)} WHERE pg_backend_pid() = {driver.get_server_pid()}"
        try:
            answer = connection.run_async(lambda c: c.execute(query))
        finally:
            if answer != "SELECT 1":
                driver.terminate()
        return answer == "SELECT 1"


def _turn_hosts(options: dict[str, Any]) -> None:
    """Begin with the next host of a list, if the URL says which of them is right.

    asyncpg has one time limit for all, which a host that is gone without a word uses up.
    """
    if "target_session_attrs=" in options["dsn"]:
        options["dsn"] = re.sub(r"(//(?:[^@/]*@)?)([^,/?]+),([^/?]+)", r"\1\3,\2", options["dsn"])
        for each in (options.get("host", []), options.get("port", [])):
            each += [each.pop(0)] if each else []


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
