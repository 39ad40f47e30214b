"""What did a piece of code cost? Budgets for tests.

    async with vitals() as cost:
        await client.get("/items")
    assert cost.db_calls <= 2

When such an assertion fails, the statements that ran more than once stand in its message.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vitals import request_stats

SHOWN = 100  # characters of a statement: pytest cuts what is longer than about twice that


class Cost(request_stats.Tally):
    """The tally of a block: its own calls and those of the requests that it makes."""

    __slots__ = ()

    @property
    def db_calls(self) -> int:
        return self.total("db")[0]

    @property
    def db_ms(self) -> float:
        return self.total("db")[1]

    @property
    def db_repeats(self) -> int:
        return max((times for _, times in self.statements()), default=0)

    def __repr__(self) -> str:
        repeated = [
            f"{times} x {' '.join(statement.split())[:SHOWN]}"
            for statement, times in self.statements()
            if times > 1
        ]
        return f"<{'; '.join(repeated) or 'no statement ran twice'}>"


@asynccontextmanager
async def vitals() -> AsyncIterator[Cost]:
    """Count what the block costs."""
    cost = Cost("")
    token = request_stats.current.set(cost)
    try:
        yield cost
    finally:
        request_stats.current.reset(token)
