"""How do we reach the database, and what does one unit of work promise?

A resource. To change a rule for all statements (deadline, pool, what is logged), change it here;
what is asked stands with the feature that asks.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app.errors import Problem
from app.health.checks import Check
from app.observability import tally

DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
CONNECT_SECONDS = 2.0


class Base(DeclarativeBase):
    """The tables of all features; migrations compare with these."""


def driver_url(url: str) -> URL:
    """The URL with the driver that this service uses in it."""
    parsed = make_url(url)
    return parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))
