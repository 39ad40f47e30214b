"""What does the database promise when it is late, away, full, older or newer than the code?"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.database import migrated

from vitals.database import Database
from vitals.database_engine import driver_url
from vitals.problems import Problem
from vitals.request_stats import Tally, current


def database_at(url: str, deadline_seconds: float = 5, slow_query_ms: float = 1000) -> Database:
    return Database(
        url, pool_size=1, deadline_seconds=deadline_seconds, slow_query_ms=slow_query_ms
    )


@pytest.fixture
async def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr("vitals.database.PROBE_SECONDS", 10)  # it is not what these tests are about
    database = database_at(f"sqlite:///{tmp_path / 'some.db'}")
    yield database
    await database.close()


def give_schema(file: Path, revision: str) -> None:
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
    give_schema(tmp_path / "some.db", "a_revision_of_tomorrow")

    assert await outcome(database, "migrations") == ""


async def test_the_newest_known_schema_is_good_enough(database: Database, tmp_path: Path) -> None:
    (newest,) = database._needed
    give_schema(tmp_path / "some.db", newest)

    assert await outcome(database, "migrations") == ""


async def test_a_database_that_is_away_is_told_to_the_client_and_by_its_check() -> None:
    database = database_at("postgresql://user:secret-word@127.0.0.1:1/orders")

    with pytest.raises(Problem) as told:
        async with database.work():
            pytest.fail("there is no database")

    assert told.value.status == 503
    assert "secret-word" not in told.value.detail
    assert await outcome(database, "database") != ""


async def test_work_ends_at_its_deadline_and_gives_its_connection_back(tmp_path: Path) -> None:
    database = database_at(f"sqlite:///{tmp_path / 'some.db'}", deadline_seconds=1)

    with pytest.raises(Problem, match="late") as told:
        async with database.work():
            await asyncio.Event().wait()

    assert told.value.status == 503
    assert database.gauges()["db_client_connections_in_use"] == 0
    async with database.work() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_cancelled_work_gives_its_connection_back(database: Database) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with database.work():
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    await asyncio.wait([task])

    assert database.gauges()["db_client_connections_in_use"] == 0


async def test_the_pool_fails_its_check_while_requests_wait_for_it(database: Database) -> None:
    async def work() -> None:
        async with database.work():
            pass

    async with database.work():
        waiting = asyncio.create_task(work())
        await asyncio.sleep(0)
        assert "1 requests wait" in await outcome(database, "pool")
    await waiting

    assert await outcome(database, "pool") == ""


async def test_statements_are_counted_with_their_repeats_also_failing_ones(
    database: Database,
) -> None:
    tally = Tally("request-1")
    current.set(tally)

    async with database.work() as session:
        for _ in range(3):
            await session.execute(text("SELECT 1"))
    with pytest.raises(OperationalError):  # a defect, and no passing state of the database
        async with database.work() as session:
            await session.execute(text("SELECT no_such_column"))

    assert tally.total("db")[0] == 4
    assert tally.statements()[:1] == [("SELECT 1", 3)]


async def test_a_slow_statement_is_logged_with_its_text_but_not_its_parameters(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = database_at(f"sqlite:///{tmp_path / 'some.db'}", slow_query_ms=0)

    async with database.work() as session:
        await session.execute(text("SELECT :word"), {"word": "private"})
    await database.close()

    (line,) = [r for r in caplog.records if r.getMessage() == "slow statement"]
    assert vars(line)["statement"] == "SELECT ?"
    assert "private" not in str(vars(line))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://a:b@host:5432/name", "postgresql+asyncpg://a:b@host:5432/name"),
        ("sqlite:///some.db", "sqlite+aiosqlite:///some.db"),
    ],
)
def test_the_driver_is_ours_to_choose(given: str, used: str) -> None:
    assert driver_url(given).render_as_string(hide_password=False) == used


def test_the_migrations_give_what_the_tables_in_the_code_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APP_DATABASE_URL", f"sqlite:///{migrated()}")

    command.check(Config("alembic.ini"))
