"""Runs Alembic on the database of the settings, APP_DATABASE_URL."""

import asyncio
import importlib
import os

from alembic import command, context
from alembic.util import CommandError
from sqlalchemy import Connection, pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

import vitals
from app.settings import Settings
from app.tables import metadata
from vitals.database_engine import driver_url  # loads no framework: migrations start fast

LOCK = 7_234_115  # any number: two migrations at the same time take turns

# Every command but upgrade compares the tables of all features: app.main imports them.
if getattr(context.config.cmd_opts, "cmd", [None])[0] is not command.upgrade:
    importlib.import_module("app.main")


def run(connection: Connection) -> None:
    """Apply what is missing, in one transaction."""
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=is_sqlite)
    with context.begin_transaction():
        if not is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        context.run_migrations()


async def main() -> None:
    """Connect once, outside any pool."""
    try:
        settings = vitals.load(Settings, os.environ)
    except vitals.SettingsRefused as refusal:
        raise CommandError(str(refusal)) from refusal
    url = driver_url(settings.database_url.get_secret_value())
    engine = create_async_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    except (OSError, DBAPIError) as error:
        where = url.render_as_string(hide_password=True)
        raise CommandError(
            f"{where}: {error}; expected a database that answers, and migrations that fit its rows "
            "(a new column needs nullable=True or a server_default); nothing was changed"
        ) from error


asyncio.run(main())
