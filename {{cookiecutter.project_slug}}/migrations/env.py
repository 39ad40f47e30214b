"""How does a migration reach the database? With the URL that the service itself uses.

The tables are those of each feature's `store_database.py`.
"""

import asyncio
import importlib
import os
from pathlib import Path

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, pool
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from vitals.database import Base
from vitals.database_engine import driver_url
from vitals.settings import load

LOCK = 7_234_115  # any number: two migrations at the same time take turns
APP = Path(__file__).parents[1] / "app"


def run(connection: Connection) -> None:
    """Apply what is missing, in one transaction."""
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=_is_sqlite(connection)
    )
    with context.begin_transaction():
        if not _is_sqlite(connection):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        context.run_migrations()


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


async def main() -> None:
    """Connect once, outside any pool."""
    url = load(os.environ).database_url.get_secret_value()
    engine = create_async_engine(driver_url(url), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    except (OSError, OperationalError) as error:
        where = driver_url(url).render_as_string(hide_password=True)
        raise CommandError(
            f"{where}: {error}; expected a database that answers; nothing was changed, try again"
        ) from error


for store in APP.glob("*/store_database.py"):
    importlib.import_module(f"app.{store.parent.name}.store_database")
asyncio.run(main())
