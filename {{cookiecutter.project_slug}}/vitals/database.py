"""How do we reach the database, and what does one unit of work promise?

A resource. A rule for all statements (deadline, pool, what is counted) is changed here; what is
asked stands with the feature that asks.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, ExceptionContext, event, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import QueuePool

from vitals import request_stats
from vitals.database_engine import build_engine
from vitals.health.checks import Check, Unfit
from vitals.problems import Problem

MIGRATIONS = Path(__file__).parent.parent / "migrations"
PROBE_SECONDS = 0.8  # within the deadline of a check, so that nothing is left behind it
REMEDIES = {
    "database": "Look whether its server runs and takes connections; no restart is needed here.",
    "migrations": "Apply the migrations of this version, or go back to the version before it.",
    "pool": "Look below for the slow route that holds connections; more of them come last.",
}
# SQLSTATE classes of a database that cannot be used now: connection, authorization, catalog,
# transaction rollback, resources, operator.
PASSING = ("08", "28", "3D", "40", "53", "57")
# What a file says in the same states; all else that it says is a defect of ours.
FILE_PASSING = ("database is locked", "database or disk is full", "disk I/O", "unable to open")


class Base(DeclarativeBase):
    """The tables of all features; a new migration is what they have and the database has not."""


class Database:
    """A pool of connections for requests, and one connection of its own for the checks."""

    name = "database"

    def __init__(
        self, url: str, *, pool_size: int, deadline_seconds: float, slow_query_ms: float
    ) -> None:
        self._pool_size = pool_size
        self._deadline_seconds = deadline_seconds
        self._slow_query_ms = slow_query_ms
        self._waiting = 0
        self._looking: asyncio.Task[set[str]] | None = None
        scripts = ScriptDirectory(str(MIGRATIONS))
        self._known = {script.revision for script in scripts.walk_revisions()}
        self._needed = set(scripts.get_heads())
        self._engine = build_engine(url, pool_size, deadline_seconds)
        self._probe = build_engine(url, 1, deadline_seconds)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        event.listen(self._engine.sync_engine, "before_cursor_execute", _start_clock)
        event.listen(self._engine.sync_engine, "after_cursor_execute", self._count)
        event.listen(self._engine.sync_engine, "handle_error", self._count_failed)

    async def open(self) -> None:
        """Connections are made when they are needed: the database may come up after us."""

    async def close(self) -> None:
        await self._engine.dispose()
        await self._probe.dispose()

    def checks(self) -> list[Check]:
        return [
            Check(self.name, self._look, REMEDIES["database"]),
            Check("migrations", self._schema_is_new_enough, REMEDIES["migrations"]),
            Check("pool", self._has_room, REMEDIES["pool"]),
        ]

    def gauges(self) -> dict[str, float]:
        return {
            "db_client_connections_in_use": cast("QueuePool", self._engine.pool).checkedout(),
            "db_client_connections_max": self._pool_size,
        }

    @asynccontextmanager
    async def work(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: committed when the block ends, undone when it raises.

        Raises Problem 503 if the database is away, has no free connection, or takes longer than
        the deadline. After a block that ended without an error the work is kept.
        """
        session = self._sessions()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._connect(session)
                yield session
                await session.commit()
        except (TimeoutError, OSError, DBAPIError) as error:
            await session.invalidate()
            if isinstance(error, DBAPIError) and not _is_passing(error):
                raise
            found = "late" if isinstance(error, TimeoutError) else "away"
            raise Problem(503, f"the database is {found}") from error
        except asyncio.CancelledError:
            await session.invalidate()
            raise
        finally:
            await session.close()

    async def _connect(self, session: AsyncSession) -> None:
        """Take a connection from the pool; the wait for it is not the database's time."""
        started = time.perf_counter()
        self._waiting += 1
        try:
            await session.connection()
        finally:
            self._waiting -= 1
            request_stats.add("pool_wait", (time.perf_counter() - started) * 1000)

    async def _look(self) -> set[str]:
        """Ask for the schema's revisions; the checks of one round share one statement."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._revisions())
        return await asyncio.shield(self._looking)

    async def _revisions(self) -> set[str]:
        async with asyncio.timeout(PROBE_SECONDS), self._probe.connect() as connection:
            try:
                rows = await connection.execute(text("SELECT version_num FROM alembic_version"))
                return set(rows.scalars())
            except DBAPIError as error:
                if isinstance(error, ProgrammingError) or "no such table" in str(error.orig):
                    return set()
                raise
            except asyncio.CancelledError:
                await connection.invalidate()
                raise

    async def _schema_is_new_enough(self) -> None:
        """Pass on the schema that we need and on any newer one: a rollback runs on that."""
        found = await self._look()
        if not found or (found <= self._known and not self._needed <= found):
            at, need = ", ".join(found) or "nothing", ", ".join(self._needed)
            raise Unfit(f"the schema is at {at}, this code needs {need}: apply migrations")

    async def _has_room(self) -> None:
        if self._waiting:
            raise Unfit(f"{self._waiting} requests wait for one of {self._pool_size}")

    def _count(self, connection: Connection, _: object, statement: str, *_rest: object) -> None:
        ms = (time.perf_counter() - connection.info["started"]) * 1000
        request_stats.add("db", ms, statement)
        if ms >= self._slow_query_ms:
            request_stats.slow(statement, ms)

    def _count_failed(self, failure: ExceptionContext) -> None:
        if failure.execution_context is not None and failure.statement is not None:  # it was sent
            self._count(failure.execution_context.root_connection, None, failure.statement)
            request_stats.add("db_failed", 0)


def _start_clock(connection: Connection, *_: object) -> None:
    connection.info["started"] = time.perf_counter()


def _is_passing(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    is_file = isinstance(error, OperationalError) and str(error.orig).startswith(FILE_PASSING)
    return error.connection_invalidated or state.startswith(PASSING) or is_file
