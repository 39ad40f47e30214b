"""Items in a real PostgreSQL: every answered write is stored, and a failed one leaves nothing."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import delete

from app.items.store import ItemStore
from app.items.store_database import DatabaseItems, ItemRow
from tests.database import MIGRATIONS, query
from tests.unit.items.store_contract import StoreContract
from vitals.database import Database
from vitals.ops.services.serving import Served, serving

ENOUGH_ANSWERS = 100
FAIL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'serialization_failure'; END $$
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE ON items DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.name = 'refused') EXECUTE FUNCTION fail()
"""


class TestDatabaseItems(StoreContract):
    """The tests of every store, in PostgreSQL."""

    @pytest.fixture
    async def store(self, environment: dict[str, str]) -> AsyncIterator[ItemStore]:
        url = environment["APP_DATABASE_URL"]
        database = Database(url, migrations=MIGRATIONS, pool_size=5, deadline_seconds=5)
        async with database.transaction() as session:
            await session.execute(delete(ItemRow))
        yield DatabaseItems(database)
        await database.close()


def write_until_killed(service: Served, answered: list[int]) -> None:
    """Create items one by one; kill the service right after the answer that makes it enough."""
    with httpx.Client(base_url=service.url) as client:
        while True:
            try:
                answer = client.post("/items", json={"name": "stored", "price": 1})
            except httpx.TransportError:
                return
            answered.append(answer.json()["id"])
            if len(answered) >= ENOUGH_ANSWERS:
                service.program.kill()


def test_every_answered_write_survives_a_kill_right_after_the_answer(
    environment: dict[str, str],
) -> None:
    answered: list[int] = []
    with serving(environment) as service, ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write_until_killed, service, answered) for _ in range(4)]

    server = environment["APP_DATABASE_URL"]
    rows = query(server, "SELECT id FROM items WHERE id = ANY($1::bigint[])", answered)

    assert [writer.exception() for writer in writers] == [None] * 4
    assert len(answered) >= ENOUGH_ANSWERS
    assert {row["id"] for row in rows} == set(answered)


@pytest.fixture
def commits_of_refused_fail(environment: dict[str, str]) -> Iterator[None]:
    """The commit of a write with the name `refused` fails."""
    server = environment["APP_DATABASE_URL"]
    query(server, FAIL)
    query(server, AT_COMMIT)
    yield
    query(server, "DROP FUNCTION fail CASCADE")


@pytest.mark.usefixtures("commits_of_refused_fail")
def test_a_write_whose_commit_fails_is_answered_as_failed_and_leaves_nothing(
    client: httpx.Client, environment: dict[str, str]
) -> None:
    address = client.post("/items", json={"name": "before", "price": 1}).headers["Location"]
    refused = {"name": "refused", "price": 2}
    answers = client.put(address, json=refused), client.post("/items", json=refused)

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].json()["retry_safe"] is True
    server = environment["APP_DATABASE_URL"]
    assert query(server, "SELECT id FROM items WHERE name = 'refused'") == []
    assert client.get(address).json()["name"] == "before"
