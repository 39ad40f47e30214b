"""Does a budget catch the query that runs once for each line of another?"""

import pytest
from tests.vitals import vitals

from vitals import request_stats

STATEMENT = "SELECT price\nFROM prices\nWHERE item_id = ?"


async def _read_items(how_many: int) -> None:
    request_stats.add("db", 1, "SELECT id FROM items")
    for _ in range(how_many):
        request_stats.add("db", 1, STATEMENT)


async def test_a_budget_that_is_kept_passes() -> None:
    async with vitals() as cost:
        await _read_items(1)

    assert cost.db_calls <= 2
    assert cost.db_repeats == 1


async def test_a_budget_that_fails_names_the_repeated_statement() -> None:
    async with vitals() as cost:
        await _read_items(12)

    with pytest.raises(AssertionError, match="12 x SELECT price FROM prices"):
        assert cost.db_calls <= 2


async def test_what_runs_after_the_block_costs_nothing() -> None:
    async with vitals() as cost:
        pass
    await _read_items(1)

    assert cost.db_calls == 0
