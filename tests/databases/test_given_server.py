"""Tests of a project on a PostgreSQL that its team names in TEST_DATABASE_URL."""

import asyncio

import asyncpg
import pytest

from tests.databases.conftest import url
from tests.databases.servers import Program
from vitals.ops import services
from vitals.ops.services import postgres as throw_away


def query(address: str, statement: str) -> list[asyncpg.Record]:
    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(address)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_its_own_tables_are_neither_seen_nor_changed_and_nothing_is_left(
    postgres: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = url(postgres, "?sslmode=disable")
    names = "SELECT datname FROM pg_database ORDER BY 1"
    query(given, "CREATE TABLE IF NOT EXISTS items (id int)")
    before = query(given, names)
    monkeypatch.setenv("TEST_DATABASE_URL", given)
    monkeypatch.setattr(services, "known", lambda: [throw_away.SERVICE])

    with services.running() as running:
        ours = running.environment["APP_DATABASE_URL"]
        assert query(ours, "SELECT * FROM pg_tables WHERE schemaname = 'public'") == []
        query(ours, "CREATE TABLE items (id int)")

    assert query(given, names) == before
    assert query(given, "SELECT * FROM pg_tables WHERE schemaname = 'public'") != []
    query(given, "DROP TABLE items")
