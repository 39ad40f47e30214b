"""Blocks inside of a transaction, and values that must be unique, on SQLite.

With PostgreSQL: tests/databases/test_transactions.py.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tests.engine.applications import install
from vitals import testing
from vitals.database import Conflict, Database

ADD = text("INSERT INTO items VALUES (:name)")
COUNT = text("SELECT count(*) FROM items")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    (tmp_path / "versions").mkdir()
    url = f"sqlite:///{tmp_path / 'some.db'}"
    database = Database(url, migrations=tmp_path, pool_size=2, deadline_seconds=5)
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE items (name TEXT UNIQUE)"))
    yield database
    await database.close()


async def add(database: Database, name: str) -> None:
    """What a store does: a transaction of its own."""
    async with database.transaction() as session:
        await session.execute(ADD, {"name": name})


async def count(database: Database) -> int:
    async with database.transaction() as session:
        return await session.scalar(COUNT) or 0


async def names(database: Database) -> list[str]:
    """What is stored, as another task sees it."""

    async def read() -> list[str]:
        async with database.transaction() as session:
            return list(await session.scalars(text("SELECT name FROM items ORDER BY name")))

    return await asyncio.create_task(read())


async def test_two_stores_in_one_transaction_share_its_connection_and_its_commit(
    database: Database,
) -> None:
    async with asyncio.timeout(2), database.transaction() as session:
        await session.execute(ADD, {"name": "tea"})
        await add(database, "coffee")
        assert await count(database) == 2
        assert database.gauges()["db_client_connections_in_use"] == 1

    assert await count(database) == 2
    assert database.gauges()["db_client_connections_in_use"] == 0


async def test_an_error_after_an_inner_block_rolls_all_back(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction():
            await add(database, "tea")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert await count(database) == 0


async def test_an_inner_block_that_fails_rolls_all_back_even_if_its_error_is_caught(
    database: Database,
) -> None:
    async def fail() -> None:
        async with database.transaction():
            raise LookupError

    async def go_on() -> None:
        async with database.transaction():
            await add(database, "tea")
            with pytest.raises(LookupError):
                await fail()

    with pytest.raises(RuntimeError, match=r"nothing is stored\. Fix: "):
        await go_on()

    assert await count(database) == 0


async def test_a_store_in_a_savepoint_may_fail(database: Database) -> None:
    async def add_two(session: AsyncSession) -> None:
        async with session.begin_nested():
            await add(database, "milk")
            await add(database, "tea")

    await add(database, "tea")
    async with database.transaction() as session:
        await add(database, "coffee")
        with pytest.raises(Conflict):
            await add_two(session)

    assert await names(database) == ["coffee", "tea"]


async def test_a_statement_that_failed_is_not_stored_silently_with_the_rest(
    database: Database,
) -> None:
    """PostgreSQL answers COMMIT with a rollback then, and no error."""

    async def go_on() -> None:
        async with database.transaction() as session:
            await session.execute(ADD, {"name": "tea"})
            with pytest.raises(IntegrityError):
                await session.execute(ADD, {"name": "tea"})

    with pytest.raises(RuntimeError, match=r"nothing is stored\. Fix: "):
        await go_on()

    assert await names(database) == []
    await add(database, "tea")  # on the same connection
    assert await names(database) == ["tea"]


async def test_a_generator_that_is_left_ends_its_transaction_and_reports_what_joined(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def rows() -> AsyncGenerator[int]:
        async with database.transaction():
            yield 1

    left = rows()
    await anext(left)
    await add(database, "tea")
    await asyncio.create_task(left.aclose())  # as the garbage collector does it
    await add(database, "coffee")

    assert await names(database) == ["coffee"]
    assert "a generator was left inside of its transaction" in caplog.text


async def test_the_next_transaction_of_the_task_is_a_new_one(database: Database) -> None:
    async def twice() -> None:
        async with database.transaction():
            await add(database, "tea")
            await add(database, "tea")

    with pytest.raises(Conflict):
        await twice()

    await add(database, "tea")
    assert await count(database) == 1


async def test_another_task_has_a_transaction_of_its_own(database: Database) -> None:
    async with database.transaction() as session:
        other = await asyncio.create_task(count(database))
        await session.execute(ADD, {"name": "tea"})

    assert other == 0


async def test_a_value_that_exists_is_a_conflict_and_its_connection_stays(
    database: Database,
) -> None:
    await add(database, "tea")

    with pytest.raises(Conflict) as caught:
        await add(database, "tea")

    assert caught.value.constraint in ("items.name", "items_name_key")  # SQLite, PostgreSQL
    assert await count(database) == 1
    assert database.gauges()["db_client_connections_in_use"] == 0


async def test_a_conflict_is_answered_409_without_the_names_of_the_database(
    database: Database,
) -> None:
    app = FastAPI()

    @app.post("/items/{name}")
    async def create(name: str) -> None:
        await add(database, name)

    async with testing.client(install(app)) as client:
        created, again = await client.post("/items/tea"), await client.post("/items/tea")

    assert (created.status_code, again.status_code) == (200, 409)
    assert again.json()["detail"] == "this exists already; expected a value that nothing else has"
    assert again.json()["retry_safe"] is False
    assert "items." not in again.text


async def test_a_transaction_as_a_dependency_commits_before_the_answer(database: Database) -> None:
    app = FastAPI()

    async def transaction() -> AsyncIterator[AsyncSession]:
        async with database.transaction() as session:
            yield session

    @app.post("/items/{name}")
    async def create(
        name: str,
        session: Annotated[AsyncSession, Depends(transaction, scope="function")],
        tasks: BackgroundTasks,
    ) -> None:
        await session.execute(ADD, {"name": name})
        await add(database, name)  # another store, in the same transaction
        tasks.add_task(add, database, f"{name} again")

    async with testing.client(install(app)) as client:
        created = await client.post("/items/tea")

    assert (created.status_code, await names(database)) == (409, [])


async def test_a_part_that_may_fail_is_a_nested_transaction_of_sqlalchemy(
    database: Database,
) -> None:
    async with database.transaction() as session:
        await session.execute(ADD, {"name": "tea"})
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(ADD, {"name": "tea"})
        await session.execute(ADD, {"name": "coffee"})

    assert await count(database) == 2
