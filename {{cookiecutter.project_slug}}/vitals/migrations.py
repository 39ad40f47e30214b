"""Migrations: one migrator at a time, a transaction for each migration, no long wait for a lock."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from vitals.database_engine import build_engine

POLL_SECONDS = 0.5
CONNECT_SECONDS = 30  # a database that sleeps while nobody uses it
# Traffic queues behind a statement that waits for a lock, so it gives up and tries again.
LOCK_TIMEOUT, TRIES, PAUSE_SECONDS = "2s", 3, 5
LOCK_NOT_AVAILABLE = "55P03"
INVALID_INDEXES = text("""
    SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE NOT indisvalid AND relkind = 'i' AND NOT relispartition AND pg_has_role(relowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = indexrelid)
""")
# The setting: a managed database may end transactions that stay idle.
TAKE_LOCK = """
    SELECT set_config('idle_in_transaction_session_timeout', '0', true)
    WHERE pg_try_advisory_xact_lock(7234115)
"""


def run_migrations(url: str, **options: Any) -> None:
    """Run the command of Alembic whose env.py calls this; `options` are those of `configure`.

    Raises CommandError when the database doesn't answer or a migration fails: that one is undone,
    those before it stay. Safe to repeat.
    """
    try:
        asyncio.run(_run(url, options))
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandError(
            f"{error}\nexpected a database that answers, no transaction that holds a lock for "
            "long, and migrations that fit its rows (a new column needs nullable=True or a "
            "server_default); the failed one is rolled back, and it is safe to repeat"
        ) from error


async def _run(url: str, options: dict[str, Any]) -> None:
    engine = build_engine(url, 2, {}, connect_seconds=CONNECT_SECONDS)
    try:
        async with engine.connect() as connection, _turn(engine):
            event.listen(engine.sync_engine, "begin", _limit_waits)
            await connection.run_sync(_try, options)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _turn(engine: AsyncEngine) -> AsyncIterator[None]:
    """Hold the migrators' lock by an open transaction, which works through a pooler too.

    It is polled, and by the driver's `execute`, which leaves no snapshot behind: CREATE INDEX
    CONCURRENTLY waits for every other one.
    """
    if engine.dialect.name == "sqlite":
        yield
        return
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        async with driver.transaction():
            while await driver.execute(TAKE_LOCK) != "SELECT 1":  # noqa: ASYNC110 - of others
                await asyncio.sleep(POLL_SECONDS)
            yield


def _limit_waits(connection: Connection) -> None:
    """No limit outside transactions: CREATE INDEX CONCURRENTLY holds up nobody while it waits."""
    if connection.dialect.name == "sqlite":
        # A table that is copied and dropped would take along the rows that refer to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    elif connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


def _try(connection: Connection, options: dict[str, Any]) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    for left in reversed(range(TRIES)):
        try:
            if not is_sqlite:
                _drop_invalid_indexes(connection)
            context.configure(
                connection=connection,
                render_as_batch=is_sqlite,
                transaction_per_migration=True,
                **options,
            )
            with context.begin_transaction():
                context.run_migrations()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE or not left:
                raise
            connection.rollback()
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _drop_invalid_indexes(connection: Connection) -> None:
    """Drop what a failed CREATE INDEX CONCURRENTLY left, so that it can be repeated."""
    with suppress(KeyError):  # only upgrade and downgrade have a revision to go to
        context.get_revision_argument()
        for name in connection.scalars(INVALID_INDEXES).all():
            connection.exec_driver_sql(f"DROP INDEX {name}")
            context.config.print_stdout("dropped the invalid index %s: its creation failed", name)
    connection.commit()
