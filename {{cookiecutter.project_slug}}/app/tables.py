"""The database's metadata, and the tables that features share."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """What every table of this service inherits."""


metadata = Base.metadata
