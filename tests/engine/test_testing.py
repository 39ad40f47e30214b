"""Help for a service's tests: a client, a lifespan, and budgets for what requests cost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from tests.engine.applications import install
from vitals import request_stats, testing

STATEMENT = "SELECT price\nFROM prices\nWHERE item_id = ?"


async def _read_items(how_many: int) -> None:
    request_stats.add_call("db", 1, "SELECT id FROM items")
    for _ in range(how_many):
        request_stats.add_call("db", 1, STATEMENT)


async def test_a_budget_that_is_kept_passes() -> None:
    async with testing.cost() as cost:
        await _read_items(1)

    assert cost.db_calls <= 2
    assert cost.db_ms == 2
    assert cost.db_repeats == 1


async def test_a_budget_that_fails_names_the_repeated_statement() -> None:
    async with testing.cost() as cost:
        await _read_items(12)

    with pytest.raises(AssertionError, match="12 x SELECT price FROM prices"):
        assert cost.db_calls <= 2


async def test_what_runs_after_the_block_costs_nothing() -> None:
    async with testing.cost() as cost:
        pass
    await _read_items(1)

    assert cost.db_calls == 0


async def test_a_block_costs_what_the_requests_in_it_cost() -> None:
    app = FastAPI()

    @app.get("/items/{how_many}")
    async def read(how_many: int) -> None:
        await _read_items(how_many)

    async with testing.client(install(app)) as client, testing.cost() as cost:
        for how_many in (2, 3):
            await client.get(f"/items/{how_many}")

    assert (cost.db_calls, cost.db_repeats) == (7, 5)


async def test_a_client_gets_an_answer_for_an_unhandled_error() -> None:
    app = FastAPI()

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError

    async with testing.client(app) as client:
        assert (await client.get("/defect")).status_code == 500


async def test_a_lifespan_starts_and_stops_an_application_without_the_engine() -> None:
    events = []

    @asynccontextmanager
    async def own(_: FastAPI) -> AsyncIterator[None]:
        events.append("start")
        yield
        events.append("stop")

    async with testing.lifespan(FastAPI(lifespan=own)):
        assert events == ["start"]

    assert events == ["start", "stop"]


@pytest.mark.parametrize("when", ["start", "stop"])
async def test_a_lifespan_that_fails_is_an_error_with_the_reason(when: str) -> None:
    @asynccontextmanager
    async def own(_: FastAPI) -> AsyncIterator[None]:
        if when == "start":
            raise OSError("no room")
        yield
        raise OSError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        async with testing.client(install(FastAPI(lifespan=own))):
            pass


async def test_an_error_in_the_block_stops_the_application_and_is_raised() -> None:
    events = []

    @asynccontextmanager
    async def own(_: FastAPI) -> AsyncIterator[None]:
        yield
        events.append("stop")

    with pytest.raises(ValueError, match="mine"):
        async with testing.client(install(FastAPI(lifespan=own))):
            raise ValueError("mine")

    assert events == ["stop"]
