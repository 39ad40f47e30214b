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
    "a statement or a block inside of this transaction failed, so nothing is stored. Fix: let its "
    "error pass, or put the part that may fail into `async with session.begin_nested():`"
)
ABANDONED = (
    "a generator was left inside of its transaction: what joined that is not stored. "
    "Fix: use the generator in contextlib.aclosing"
)


@dataclass
class Transaction:
    """A transaction, whether it is still open, and what happened to the blocks inside of it."""

    session: AsyncSession
    task: asyncio.Task[Any] | None
    is_open: bool = True
    has_joined: bool = False
    has_failed: bool = False


@asynccontextmanager
async def joined(outer: Transaction) -> AsyncIterator[AsyncSession]:
    """A block inside of an open transaction; its errors are those of its own statements."""
    outer.has_joined = True
    try:
        yield outer.session
        await outer.session.flush()
    except BaseException as error:
        # The end of a savepoint rolls its own part back, and no more.
        outer.has_failed |= not outer.session.in_nested_transaction()
        if isinstance(error, DBAPIError) and (found := conflict(error)):
            raise found from error
        raise
