"""What does the store promise with a real PostgreSQL, and what if that is not as it should be?"""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import asyncpg
import httpx
import pytest

from ops import migration, shell
from ops.serving import serving
from ops.steps import Refused

ANSWERS = 100


@pytest.fixture
async def database(environment: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(environment["APP_DATABASE_URL"])
    yield connection
    await connection.close()


def post_until_it_is_gone(url: str, program: shell.Program, answered: list[int]) -> None:
    """Create items one by one; kill the service when enough were answered."""
    with httpx.Client(base_url=url) as client:
        while True:
            try:
                answer = client.post("/items", json={"name": "kept", "price": 1})
            except httpx.TransportError:
                return
            answered.append(answer.json()["id"])
            if len(answered) >= ANSWERS:
                program.kill()


async def test_every_answered_write_survives_a_kill_right_after_the_answer(
    environment: dict[str, str], database: asyncpg.Connection
) -> None:
    answered: list[int] = []
    with serving(environment) as doomed, ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(post_until_it_is_gone, doomed.url, doomed.program, answered)

    rows = await database.fetch("SELECT id FROM items WHERE id = ANY($1::bigint[])", answered)

    assert len(answered) >= ANSWERS
    assert {row["id"] for row in rows} == set(answered)


async def test_a_write_that_fails_leaves_the_row_as_it_was(
    environment: dict[str, str], database: asyncpg.Connection
) -> None:
    with serving({**environment, "APP_REQUEST_SECONDS": "0.5"}) as impatient:
        async with httpx.AsyncClient(base_url=impatient.url) as client:
            created = await client.post("/items", json={"name": "before", "price": 1})
            address = created.headers["Location"]
            async with database.transaction():
                await database.execute("LOCK TABLE items IN EXCLUSIVE MODE")

                failed = await client.put(address, json={"name": "after", "price": 2})
                lost = await client.post("/items", json={"name": "never answered", "price": 2})

            assert (failed.status_code, lost.status_code) == (503, 503)
            assert failed.json()["retry_safe"] is True
            assert (await client.get(address)).json()["name"] == "before"
    assert await database.fetchval("SELECT count(*) FROM items WHERE name = 'never answered'") == 0


async def test_a_missing_migration_keeps_the_service_out_until_it_is_applied(
    environment: dict[str, str], database: asyncpg.Connection
) -> None:
    await database.execute("CREATE DATABASE empty")
    url = httpx.URL(environment["APP_DATABASE_URL"]).copy_with(path="/empty")
    empty = {**environment, "APP_DATABASE_URL": str(url)}

    with serving(empty, healthy=False) as served:
        assert failing(served.url) == ["migrations"]

        migration.apply(empty)

        ready = partial(answers, f"{served.url}/readyz")
        assert served.program.wait_until(ready, within_seconds=20)


def test_an_unreachable_database_is_named_and_the_service_stays_alive(
    environment: dict[str, str],
) -> None:
    with serving(away(environment), healthy=False) as served:
        assert answers(f"{served.url}/livez")
        assert "database" in failing(served.url)
        assert httpx.get(f"{served.url}/items").status_code == 503
        assert served.program.wait_until(lambda: "database" in served.log.read_text(), 10)
        assert "hidden" not in served.log.read_text()


def test_a_migration_without_a_database_is_refused_with_the_way_out(
    environment: dict[str, str],
) -> None:
    with pytest.raises(Refused) as refused:
        migration.apply(away(environment))

    assert "expected a database that answers" in refused.value.output
    assert "hidden" not in refused.value.output
    assert "Traceback" not in refused.value.output


def away(environment: dict[str, str]) -> dict[str, str]:
    """The same settings with a database that nobody serves."""
    url = f"postgresql://app:hidden@127.0.0.1:{shell.free_port()}/gone"
    return {**environment, "APP_DATABASE_URL": url}


def failing(url: str) -> list[str]:
    names: list[str] = httpx.get(f"{url}/readyz").json()["failing"]
    return names


def answers(url: str) -> bool:
    return httpx.get(url).is_success
