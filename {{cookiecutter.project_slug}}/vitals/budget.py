"""Budgets in tests: what a block costs.

When an assertion about it fails, the statements that ran more than once are in its message.
"""

from typing import Self

from vitals.request_stats import RequestStats, current

MAX_STATEMENT = 100  # characters: pytest cuts what is longer than about twice that


class cost(RequestStats):  # noqa: N801 - used as a function
    """Count what a block costs: its own calls, and those of the requests that it sends.

    `with` and `async with`, also around the requests of Starlette's TestClient.
    """

    __slots__ = ("_token",)

    def __init__(self) -> None:
        super().__init__("")

    def __enter__(self) -> Self:
        self._token = current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        current.reset(self._token)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    @property
    def db_calls(self) -> int:
        return self.total("db")[0]

    @property
    def db_ms(self) -> float:
        return self.total("db")[1]

    @property
    def db_repeats(self) -> int:
        """How many times the most frequent statement ran."""
        return max((times for _, times in self.statements()), default=0)

    def __repr__(self) -> str:
        repeated = [
            f"{times} x {' '.join(statement.split())[:MAX_STATEMENT]}"
            for statement, times in self.statements()
            if times > 1
        ]
        return f"<{'; '.join(repeated) or 'no statement ran twice'}>"
