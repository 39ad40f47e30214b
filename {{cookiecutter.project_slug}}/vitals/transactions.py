"""A transaction that is open, and the blocks inside of it that join it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from vitals.database_errors import conflict

FAILED_INSIDE = (
    "a block inside of this transaction failed, so nothing is stored. Fix: let its error pass, or "
    "use session.begin_nested() for a part that may fail"
)


@dataclass
class Transaction:
    """An open transaction, and whether a block inside of it failed."""

    session: AsyncSession
    task: asyncio.Task[Any] | None
    has_failed: bool = False


@asynccontextmanager
async def joined(outer: Transaction) -> AsyncIterator[AsyncSession]:
    """A block inside of an open transaction; its errors are those of its own statements."""
    try:
        yield outer.session
        await outer.session.flush()
    except BaseException as error:
        outer.has_failed = True
        if isinstance(error, DBAPIError) and (found := conflict(error)):
            raise found from error
        raise
