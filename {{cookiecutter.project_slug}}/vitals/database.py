"""The database: a pool of connections, one transaction at a time, a deadline for each.

Every statement is counted in the stats of the request that sends it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import cast

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.pool import QueuePool

from vitals import request_stats
from vitals.database_engine import build_engine
from vitals.database_errors import Conflict, conflict, is_transient
from vitals.dependency import Check, CheckFailed
from vitals.problems import Problem
from vitals.statements import HAS_FAILED, count_statements
from vitals.transactions import ABANDONED, FAILED_INSIDE, Transaction, joined

__all__ = ["Conflict", "Database"]

PROBE_SECONDS = 0.8  # shorter than the deadline of a check, so that its connection is closed
REMEDIES = {
    "database": "Check that its server runs and accepts connections. No restart is needed here.",
    "migrations": "Apply the migrations of this version, or roll back to the previous one.",
    "pool": "Find the slow route below that holds connections; a larger pool is the last resort.",
}
log = logging.getLogger(__name__)


class Database:
    """A pool of connections for requests, and one connection of its own for the checks.

    `migrations` is Alembic's folder: the service is ready when its newest migrations are applied.
    """

    name = "database"

    def __init__(
        self,
        url: str,
        *,
        migrations: Path,
        pool_size: int = 10,
        deadline_seconds: float = 15,
        slow_query_ms: float = 200,
    ) -> None:
        self._pool_size, self._deadline_seconds = pool_size, deadline_seconds
        self._places = asyncio.Semaphore(pool_size)
        self._waiting = self._connecting = 0
        self._open = ContextVar[Transaction | None](f"transaction of {id(self)}", default=None)
        self._reading: asyncio.Task[set[str]] | None = None
        from alembic.script import ScriptDirectory  # a third of all imports: only where it is used

        scripts = ScriptDirectory(str(migrations))
        self._known = {script.revision for script in scripts.walk_revisions()}
        self._needed = set(scripts.get_heads())
        # The server's own limit ends a statement that nobody waits for any more.
        limits = {"statement_timeout": int(deadline_seconds * 1000)}
        self._engine = build_engine(url, pool_size, limits)
        self._probe = build_engine(url, 1, limits)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        count_statements(self._engine.sync_engine, slow_query_ms)

    async def open(self) -> None:
        """Connections are made when they are needed: the database may start later."""

    async def close(self) -> None:
        await self._engine.dispose()
        await self._probe.dispose()

    def checks(self) -> list[Check]:
        return [
            Check(self.name, self._read_once, REMEDIES["database"]),
            Check("migrations", self._check_schema, REMEDIES["migrations"]),
            Check("pool", self._check_pool, REMEDIES["pool"]),
        ]

    def gauges(self) -> dict[str, float]:
        return {
            "db_client_connections_in_use": self._in_use(),
            "db_client_connections_max": self._pool_size,
        }

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        A block inside of another one of the same task joins it: one session, one commit at the
        end. If the inner block or a statement fails, all is rolled back, even if the outer block
        catches it; `session.begin_nested()` makes a part that may fail, other stores in it too.
        Another task has its own transaction (`asyncio.wait_for` starts one before Python 3.12).

        Raises Problem 503 if the database is not available, or not within the deadline; Conflict
        if a value exists that must be unique.
        """
        outer = self._open.get()
        if outer and outer.is_open and outer.task is asyncio.current_task():
            async with joined(outer) as session:
                yield session
            return
        session, deadline = self._sessions(), asyncio.timeout(self._deadline_seconds)
        ours = Transaction(session, asyncio.current_task())
        self._open.set(ours)
        try:
            async with deadline:
                info = await self._connect(session)
                try:
                    yield session
                    if ours.has_failed or HAS_FAILED in info:
                        raise RuntimeError(FAILED_INSIDE)
                    await session.commit()
                finally:
                    self._places.release()
        except (TimeoutError, DBAPIError) as error:
            # Any other error is the block's own, also an OSError or another time limit.
            if isinstance(error, DBAPIError) and (found := conflict(error)):
                raise found from error
            if not (deadline.expired() or (isinstance(error, DBAPIError) and is_transient(error))):
                raise
            await session.invalidate()
            state = "slow" if deadline.expired() else "not available"
            raise Problem(503, f"the database is {state}") from error
        except asyncio.CancelledError:
            await session.invalidate()
            raise
        except GeneratorExit:
            if ours.has_joined:
                log.warning(ABANDONED)
            raise
        finally:
            ours.is_open = False
            self._open.set(outer)
            await session.close()

    async def _connect(self, session: AsyncSession) -> Mapping[str, object]:
        """Wait while the pool is full. The pool's own waiters miss a connection that fails.

        Returns where a statement that fails is noted.
        """
        started = time.perf_counter()
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
            request_stats.add_call("pool_wait", (time.perf_counter() - started) * 1000)
        self._connecting += 1
        try:
            info = (await session.connection()).info
        except BaseException:
            self._places.release()
            raise
        finally:
            self._connecting -= 1
        info.pop(HAS_FAILED, None)
        return info

    def _in_use(self) -> int:
        return cast("QueuePool", self._engine.pool).checkedout() - self._connecting

    async def _read_once(self) -> set[str]:
        """Read the schema's revisions; checks that run at once share one statement."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._revisions())
        return await asyncio.shield(self._reading)

    async def _revisions(self) -> set[str]:
        try:
            async with asyncio.timeout(PROBE_SECONDS), self._probe.connect() as connection:
                try:
                    rows = await connection.execute(text("SELECT version_num FROM alembic_version"))
                    return set(rows.scalars())
                except asyncio.CancelledError:
                    await connection.invalidate()
                    raise
        except DBAPIError as error:
            if isinstance(error, ProgrammingError) or "no such table" in str(error.orig):
                return set()
            raise CheckFailed(str(error.orig)) from error

    async def _check_schema(self) -> None:
        """Pass on the schema of this code and on any newer one: a rollback runs on that."""
        found = await self._read_once()
        is_old = not found or (found <= self._known and not self._needed <= found)
        if self._needed and is_old:
            at, need = ", ".join(found) or "nothing", ", ".join(self._needed)
            raise CheckFailed(f"the schema is at {at}, this code needs {need}: apply migrations")

    async def _check_pool(self) -> None:
        if self._waiting and self._in_use() >= self._pool_size:  # connecting fills no pool
            raise CheckFailed(f"{self._waiting} requests wait for one of {self._pool_size}")
