"""What does the store promise with a real PostgreSQL, and what if that is not as it should be?"""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import pytest

from ops import migration, shell
from ops.serving import Served, serving
from ops.steps import Refused

Query = Callable[..., list[asyncpg.Record]]
ANSWERS = 100
FAILS = """
CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'serialization_failure'; END $$
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER fails AFTER INSERT OR UPDATE ON items DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.name = 'refused') EXECUTE FUNCTION fails()
"""


@pytest.fixture
def query(environment: dict[str, str]) -> Query:
    """Ask the server itself, past the service."""

    async def ask(statement: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(environment["APP_DATABASE_URL"])
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return lambda statement, *values: asyncio.run(ask(statement, *values))


@pytest.fixture
def commits_of_refused_fail(query: Query) -> Iterator[None]:
    """A write with the name `refused` goes well until it is committed."""
    query(FAILS)
    query(AT_COMMIT)
    yield
    query("DROP FUNCTION fails CASCADE")


@pytest.fixture
def empty(environment: dict[str, str], query: Query) -> Iterator[dict[str, str]]:
    """The settings with a new database that has no tables."""
    name = f"empty_{secrets.token_hex(4)}"
    query(f"CREATE DATABASE {name}")
    url = httpx.URL(environment["APP_DATABASE_URL"]).copy_with(path=f"/{name}")
    yield {**environment, "APP_DATABASE_URL": str(url)}
    query(f"DROP DATABASE {name} WITH (FORCE)")


def write_until_killed(doomed: Served, answered: list[int]) -> None:
    """Create items one by one; kill the service right after the answer that makes it enough."""
    with httpx.Client(base_url=doomed.url) as client:
        while True:
            try:
                answer = client.post("/items", json={"name": "kept", "price": 1})
            except httpx.TransportError:
                return
            answered.append(answer.json()["id"])
            if len(answered) >= ANSWERS:
                doomed.program.kill()


def test_every_answered_write_survives_a_kill_right_after_the_answer(
    environment: dict[str, str], query: Query
) -> None:
    answered: list[int] = []
    with serving(environment) as doomed, ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write_until_killed, doomed, answered) for _ in range(4)]

    rows = query("SELECT id FROM items WHERE id = ANY($1::bigint[])", answered)

    assert [writer.exception() for writer in writers] == [None] * 4
    assert len(answered) >= ANSWERS
    assert {row["id"] for row in rows} == set(answered)


@pytest.mark.usefixtures("commits_of_refused_fail")
def test_a_write_whose_commit_fails_is_answered_as_failed_and_leaves_nothing(
    client: httpx.Client, query: Query
) -> None:
    address = client.post("/items", json={"name": "before", "price": 1}).headers["Location"]
    refused = {"name": "refused", "price": 2}
    answers = client.put(address, json=refused), client.post("/items", json=refused)

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].json()["retry_safe"] is True
    assert query("SELECT id FROM items WHERE name = 'refused'") == []
    assert client.get(address).json()["name"] == "before"


def test_a_missing_migration_keeps_the_service_out_until_it_is_applied(
    empty: dict[str, str],
) -> None:
    with serving(empty, healthy=False) as served, httpx.Client(base_url=served.url) as client:
        assert client.get("/livez").is_success
        assert failing(client) == ["migrations"]

        migration.apply(empty)

        assert served.program.wait_until(lambda: failing(client) == [], within_seconds=20)
        assert client.get("/items").json()["items"] == []


def test_a_migration_without_a_database_is_refused_with_the_way_out(
    environment: dict[str, str],
) -> None:
    nobody = f"postgresql://app:hidden@127.0.0.1:{shell.free_port()}/gone"

    with pytest.raises(Refused) as refused:
        migration.apply({**environment, "APP_DATABASE_URL": nobody})

    assert "expected a database that answers" in refused.value.output
    assert "hidden" not in refused.value.output
    assert "Traceback" not in refused.value.output


def failing(client: httpx.Client) -> list[str]:
    names: list[str] = client.get("/readyz").json().get("failing", [])
    return names
