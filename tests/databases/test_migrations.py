"""Migrations of a generated project on a real PostgreSQL, also by two deployments at once."""

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests import baking
from tests.databases.conftest import url
from tests.databases.servers import PASSWORD, Program

CONCURRENTLY = """
from alembic import op

revision, down_revision = "{name}", {after}

def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE {unique} INDEX CONCURRENTLY by_{name} ON items (price_cents)")
"""
IN_TRANSACTION = """
from alembic import op

revision, down_revision = "{name}", {after}

def upgrade() -> None:
    op.execute("ALTER TABLE items ADD COLUMN {name} integer")
"""
WAITING = """
from alembic import op

revision, down_revision = "{name}", {after}

def upgrade() -> None:
    op.execute("SELECT pg_sleep(60)")
"""
NEWEST = "8c41f0a2be95"  # of the example


@pytest.fixture(params=["orders", "50% off (a b)"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A project in a folder of that name."""
    return Path(shutil.copytree(baking.bake(), tmp_path / request.param))


@pytest.fixture
def database(postgres: Program) -> Iterator[str]:
    """The name of a database of its own, empty."""
    query(postgres, "CREATE DATABASE fresh")
    yield "fresh"
    query(postgres, "DROP DATABASE fresh WITH (FORCE)")


def query(server: Program, statement: str, database: str = "postgres") -> list[asyncpg.Record]:
    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(
            host="localhost",
            port=server.port,
            user="app",
            password=PASSWORD,
            database=database,
            statement_cache_size=0,
        )
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def add(project: Path, template: str, name: str, after: str, unique: str = "") -> None:
    text = template.format(name=name, after=repr(after), unique=unique)
    (project / "migrations" / "versions" / f"{name}.py").write_text(text)


def upgrade(project: Path, address: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=project,
        env=baking.environment(APP_ENVIRONMENT="test", APP_DATABASE_URL=address),
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def in_database(server: Program, database: str, parameters: str = "") -> str:
    return url(server, parameters).replace("/postgres", f"/{database}")


def test_two_migrators_at_once_both_end_and_each_migration_runs_once(
    project: Path, postgres: Program, database: str
) -> None:
    add(project, CONCURRENTLY, "first", NEWEST)
    add(project, IN_TRANSACTION, "second", "first")
    address = in_database(postgres, database)

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: upgrade(project, address), range(3)))

    assert [each.returncode for each in done] == [0] * 3, [each.stderr for each in done]
    [row] = query(postgres, "SELECT version_num FROM alembic_version", database)
    assert row["version_num"] == "second"
    query(postgres, "SELECT second FROM items", database)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    return Path(shutil.copytree(baking.bake(), tmp_path / "orders"))


def test_the_index_that_a_failed_migration_left_is_removed_and_named_by_the_next_run(
    orders: Path, postgres: Program, database: str
) -> None:
    address = in_database(postgres, database)
    assert upgrade(orders, address).returncode == 0
    query(postgres, "INSERT INTO items (name, price_cents) VALUES ('a', 1), ('b', 1)", database)
    add(orders, IN_TRANSACTION, "first", NEWEST)
    add(orders, CONCURRENTLY, "second", "first", unique="UNIQUE")

    failed = upgrade(orders, address)
    query(postgres, "UPDATE items SET price_cents = id", database)
    repeated = upgrade(orders, address)

    assert failed.returncode != 0
    assert "could not create unique index" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    assert repeated.returncode == 0, repeated.stderr
    assert "dropped the invalid index by_second" in repeated.stdout
    [index] = query(
        postgres,
        "SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid "
        "WHERE relname = 'by_second'",
        database,
    )
    assert index["indisvalid"]


def test_a_migration_gives_up_a_lock_that_somebody_holds_and_tries_again(
    orders: Path, postgres: Program, database: str
) -> None:
    address = in_database(postgres, database)
    assert upgrade(orders, address).returncode == 0
    add(orders, IN_TRANSACTION, "first", NEWEST)
    add(orders, IN_TRANSACTION, "second", "first")

    with holding(postgres, database, seconds=4):
        waited = upgrade(orders, address)
    add(orders, IN_TRANSACTION, "third", "second")
    with holding(postgres, database, seconds=60):
        refused = upgrade(orders, address)

    assert waited.returncode == 0, waited.stderr
    assert refused.returncode != 0
    assert "lock timeout" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    [row] = query(postgres, "SELECT version_num FROM alembic_version", database)
    assert row["version_num"] == "second"


@contextmanager
def holding(server: Program, database: str, seconds: int) -> Iterator[None]:
    """A client that reads the table in a transaction which it leaves open."""
    loop_ready, done = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(
            host="localhost", port=server.port, user="app", password=PASSWORD, database=database
        )
        async with connection.transaction():
            await connection.fetch("SELECT count(*) FROM items")
            loop_ready.set()
            await asyncio.to_thread(done.wait, seconds)
        await connection.close()

    thread = threading.Thread(target=asyncio.run, args=[hold()])
    thread.start()
    loop_ready.wait(20)
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    "which", ["", "AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"]
)
def test_a_migrator_whose_connections_are_closed_says_so_and_is_safe_to_repeat(
    orders: Path, postgres: Program, database: str, which: str
) -> None:
    address = in_database(postgres, database)
    add(orders, WAITING, "first", NEWEST)

    def close() -> bool:
        sleeping = "datname = 'fresh' AND query = 'SELECT pg_sleep(60)' AND state = 'active'"
        if not query(postgres, f"SELECT FROM pg_stat_activity WHERE {sleeping}"):
            return False
        ours = f"datname = 'fresh' {which}"
        query(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
        query(postgres, f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {sleeping}")
        return True

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(upgrade, orders, address)
        baking.wait_until(close, 30)
        failed = running.result()
    add(orders, IN_TRANSACTION, "first", NEWEST)
    repeated = upgrade(orders, address)

    assert failed.returncode != 0
    assert "safe to repeat" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    assert repeated.returncode == 0, repeated.stderr


def test_migrations_pass_a_pooler_and_what_cannot_is_refused_with_a_way_out(
    orders: Path, postgres: Program, bouncer: Program, database: str
) -> None:
    add(orders, IN_TRANSACTION, "first", NEWEST)
    through = in_database(bouncer, database)

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: upgrade(orders, through), range(3)))
    add(orders, CONCURRENTLY, "second", "first")
    refused = upgrade(orders, through)
    direct = upgrade(orders, in_database(postgres, database))

    assert [each.returncode for each in done] == [0] * 3, [each.stderr for each in done]
    assert refused.returncode != 0
    assert "use the URL of the database itself" in refused.stdout
    assert "CREATE  INDEX CONCURRENTLY" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert direct.returncode == 0, direct.stderr
