"""PgBouncer with its default configuration: everything works without a setting for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.databases.conftest import url
from tests.databases.servers import Program
from vitals import testing
from vitals.database import Database


def database_at(folder: Path, address: str, pool_size: int = 8) -> Database:
    (folder / "migrations" / "versions").mkdir(parents=True)
    return Database(
        address, migrations=folder / "migrations", pool_size=pool_size, deadline_seconds=7
    )


@pytest.fixture
async def database(tmp_path: Path, bouncer: Program) -> AsyncIterator[Database]:
    database = database_at(tmp_path, url(bouncer))
    yield database
    await database.close()


async def failing(database: Database) -> dict[str, str]:
    """The checks that fail, with their reasons."""
    found = {}
    for check in database.checks():
        try:
            await check.probe()
        except Exception as error:
            found[check.name] = str(error)
    return found


async def test_every_request_of_a_crowd_gets_its_own_answer(database: Database) -> None:
    async def ask(number: int) -> int:
        async with database.transaction() as session:
            await session.execute(text("SELECT :n"), {"n": str(number)})
            query = text(f"SELECT CAST(:n AS integer) + {number % 7}")
            return await session.scalar(query, {"n": number}) or 0

    answers = await asyncio.gather(*(ask(number) for number in range(300)))

    assert answers == [number + number % 7 for number in range(300)]
    assert await failing(database) == {}


async def test_what_sqlalchemy_asks_a_new_server_counts_for_no_request(
    postgres: Program, bouncer: Program, tmp_path: Path
) -> None:
    for server in (postgres, bouncer):
        database = database_at(tmp_path / str(server.port), url(server))

        async with testing.cost() as cost, database.transaction() as session:
            await session.execute(text("SELECT 1"))
        await database.close()

        assert cost.statements() == [("SELECT 1", 1)]


async def test_the_limit_of_a_statement_is_the_transactions_own(
    database: Database, postgres: Program, tmp_path: Path
) -> None:
    async with database.transaction() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "7s"

    direct = database_at(tmp_path / "direct", url(postgres))
    async with direct.transaction() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "7s"
    await direct.close()


async def test_a_value_of_a_type_that_is_looked_up_works(database: Database) -> None:
    async with database.transaction() as session:
        row = await session.execute(text("SELECT ARRAY['a'::name], '{\"a\": 1}'::jsonb"))
        assert row.one() == (["a"], {"a": 1})
