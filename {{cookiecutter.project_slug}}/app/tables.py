"""The database's metadata, and the tables that features share."""

from pathlib import Path

from sqlalchemy.orm import DeclarativeBase

MIGRATIONS = Path(__file__).parents[1] / "migrations"


class Base(DeclarativeBase):
    """The base class of all tables."""


metadata = Base.metadata
