"""The database when it is slow, down, full, or its schema older or newer than the code."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from vitals import Problem, testing
from vitals.database import Database

OLDEST, NEWEST = "r1", "r2"
REVISION = 'revision, down_revision = "{}", {}\n\ndef upgrade(): ...\ndef downgrade(): ...\n'


def database_at(
    folder: Path, url: str, deadline_seconds: float = 5, slow_query_ms: float = 1000
) -> Database:
    """A database whose code needs the newer one of two migrations."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "1.py").write_text(REVISION.format(OLDEST, None))
    (versions / "2.py").write_text(REVISION.format(NEWEST, repr(OLDEST)))
    return Database(
        url,
        migrations=versions.parent,
        pool_size=1,
        deadline_seconds=deadline_seconds,
        slow_query_ms=slow_query_ms,
    )


@pytest.fixture
async def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr("vitals.database.PROBE_SECONDS", 10)  # it is not what these tests are about
    database = database_at(tmp_path, f"sqlite:///{tmp_path / 'some.db'}")
    yield database
    await database.close()


def set_schema(file: Path, revision: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])
    connection.close()


async def outcome(database: Database, name: str) -> str:
    """Run the check of that name; the reason for its failure, or an empty text."""
    (check,) = [check for check in database.checks() if check.name == name]
    try:
        await check.probe()
    except Exception as reason:
        return str(reason) or type(reason).__name__
    return ""


async def test_a_schema_without_migrations_is_too_old(database: Database) -> None:
    assert await outcome(database, "database") == ""
    assert "this code needs" in await outcome(database, "migrations")


async def test_a_newer_schema_is_good_enough(database: Database, tmp_path: Path) -> None:
    set_schema(tmp_path / "some.db", "a_revision_of_tomorrow")

    assert await outcome(database, "migrations") == ""


async def test_the_newest_known_schema_is_good_enough(database: Database, tmp_path: Path) -> None:
    set_schema(tmp_path / "some.db", NEWEST)

    assert await outcome(database, "migrations") == ""


async def test_a_database_that_is_down_is_503_and_fails_its_check(tmp_path: Path) -> None:
    database = database_at(tmp_path, "postgresql://user:secret-word@127.0.0.1:1/orders")

    with pytest.raises(Problem) as caught:
        async with database.transaction():
            pytest.fail("there is no database")

    assert caught.value.status == 503
    assert "secret-word" not in caught.value.detail
    assert await outcome(database, "database") != ""


async def test_a_transaction_ends_at_its_deadline_and_returns_its_connection(
    tmp_path: Path,
) -> None:
    database = database_at(tmp_path, f"sqlite:///{tmp_path / 'some.db'}", deadline_seconds=1)

    with pytest.raises(Problem, match="slow") as caught:
        async with database.transaction():
            await asyncio.Event().wait()

    assert caught.value.status == 503
    assert database.gauges()["db_client_connections_in_use"] == 0
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_cancelled_transaction_returns_its_connection(database: Database) -> None:
    started = asyncio.Event()

    async def use() -> None:
        async with database.transaction():
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await started.wait()
    task.cancel()
    await asyncio.wait([task])

    assert database.gauges()["db_client_connections_in_use"] == 0


async def test_the_pool_fails_its_check_while_requests_wait_for_it(database: Database) -> None:
    async def use() -> None:
        async with database.transaction():
            pass

    async with database.transaction():
        waiting = asyncio.create_task(use())
        await asyncio.sleep(0)  # lets the request begin to wait
        assert "1 requests wait" in await outcome(database, "pool")
    await waiting

    assert await outcome(database, "pool") == ""


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The URL of a server that takes connections and says nothing."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"postgresql://user:word@127.0.0.1:{port}/orders?sslmode=disable&connect_timeout=1"
    for writer in held:
        writer.close()
    server.close()


async def test_connecting_is_no_wait_for_the_pool_and_has_its_own_time(
    tmp_path: Path, silent: str
) -> None:
    database = database_at(tmp_path, silent)

    async def use() -> None:
        with pytest.raises(Problem, match="not available"):
            async with database.transaction():
                pytest.fail("nobody answers")

    async with testing.cost() as cost:
        requests = [asyncio.create_task(use()) for _ in range(2)]
        await asyncio.sleep(0.1)  # the first one connects, the second waits for the only place
        assert await outcome(database, "pool") == ""
        assert database.gauges()["db_client_connections_in_use"] == 0
        await asyncio.gather(*requests)

    waits = sorted(ms for kind, ms, _ in cost.calls if kind == "pool_wait")
    connects, ms = cost.total("db_connect")
    assert (len(waits), connects) == (2, 2)
    assert waits[0] < ms / 4 < waits[1]  # only one waited: while the other connected


@pytest.mark.parametrize("error", [OSError(2, "no such file"), TimeoutError("a call of ours")])
async def test_an_error_of_the_block_itself_is_no_fault_of_the_database(
    database: Database, error: Exception
) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
            raise error

    with pytest.raises(type(error)) as caught:
        await fail()

    assert caught.value is error
    assert database.gauges()["db_client_connections_in_use"] == 0


async def test_statements_are_counted_with_their_repeats_also_failing_ones(
    database: Database,
) -> None:
    async with testing.cost() as cost, database.transaction() as session:
        for _ in range(3):
            await session.execute(text("SELECT 1"))
    async with testing.cost() as failed:
        with pytest.raises(OperationalError):  # a defect, not a temporary state
            async with database.transaction() as session:
                await session.execute(text("SELECT no_such_column"))

    assert cost.db_calls == 3
    assert cost.statements() == [("SELECT 1", 3)]
    assert (failed.db_calls, failed.total("db_failed")[0]) == (1, 1)


NUMBERS = Table("numbers", MetaData(), Column("n", Integer, primary_key=True))
ENDLESS = "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t LIMIT 9000000)"


async def many_rows(session: AsyncSession) -> None:
    await session.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": 1}, {"n": 2}])


async def many_rows_returned(session: AsyncSession) -> None:
    await session.execute(insert(NUMBERS).returning(NUMBERS.c.n), [{"n": 1}, {"n": 2}])


async def no_parameters(session: AsyncSession) -> None:
    connection = await session.connection()
    await connection.exec_driver_sql("SELECT 1", execution_options={"no_parameters": True})


async def streamed(session: AsyncSession) -> None:
    assert [row async for row in await session.stream(text("SELECT 1 UNION SELECT 2"))]


async def from_code_without_await(session: AsyncSession) -> None:
    await session.run_sync(lambda sync: sync.execute(text("SELECT 1")))


@pytest.mark.parametrize(
    "work", [many_rows, many_rows_returned, no_parameters, streamed, from_code_without_await]
)
async def test_a_statement_is_counted_however_it_is_sent(
    database: Database, work: Callable[[AsyncSession], Awaitable[None]]
) -> None:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE numbers (n INTEGER)"))

    async with testing.cost() as cost, database.transaction() as session:
        await work(session)

    assert cost.db_calls == 1
    assert cost.db_ms > 0


async def test_a_statement_that_is_cut_off_is_counted_as_failed(tmp_path: Path) -> None:
    database = database_at(tmp_path, f"sqlite:///{tmp_path / 'some.db'}", deadline_seconds=1)

    async with testing.cost() as cost:
        with pytest.raises(Problem, match="slow"):
            async with database.transaction() as session:
                await session.execute(text(f"{ENDLESS} SELECT count(*) FROM t"))
    await database.close()

    assert (cost.db_calls, cost.total("db_failed")[0]) == (1, 1)


async def test_a_slow_statement_is_logged_with_its_text_but_not_its_parameters(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = database_at(tmp_path, f"sqlite:///{tmp_path / 'some.db'}", slow_query_ms=0)

    async with database.transaction() as session:
        await session.execute(text("SELECT :word"), {"word": "private"})
    await database.close()

    (line,) = [r for r in caplog.records if r.getMessage() == "slow statement"]
    assert vars(line)["statement"] == "SELECT ?"
    assert "private" not in str(vars(line))


async def test_an_older_schema_fails_the_check_and_names_both(
    database: Database, tmp_path: Path
) -> None:
    set_schema(tmp_path / "some.db", OLDEST)

    assert await outcome(database, "migrations") == (
        "the schema is at r1, this code needs r2: apply migrations"
    )


async def test_a_transaction_that_raises_leaves_nothing_behind(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE items (name TEXT NOT NULL)"))

    async def fail() -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO items VALUES ('tea')"))
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await fail()

    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM items")) == 0


async def test_a_constraint_that_is_broken_is_raised_as_it_is(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE items (name TEXT NOT NULL)"))

    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO items VALUES (NULL)"))


async def test_a_statement_for_each_row_fails_a_budget_by_its_text(database: Database) -> None:
    async with testing.cost() as cost, database.transaction() as session:
        for number in range(12):
            await session.scalar(text("SELECT :n"), {"n": number})

    with pytest.raises(AssertionError, match=r"12 x SELECT \?"):
        assert cost.db_calls <= 2
