"""How do the paths under /items answer? Here on a store in memory."""

from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
from fastapi import FastAPI

from app.items.routes import router
from app.items.store import MemoryItems
from tests.client import client_of
from vitals import problems
from vitals.security.guard import Allows

TEA = {"name": "tea", "price": 2.5}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.include_router(router(MemoryItems(), partial(Allows, None)))
    async with client_of(service) as client:
        yield client


async def test_a_created_item_is_found_at_the_address_in_the_answer(
    client: httpx.AsyncClient,
) -> None:
    created = await client.post("/items", json=TEA)

    assert created.status_code == 201
    found = await client.get(created.headers["location"])
    assert found.json() == created.json() == TEA | {"id": 1}


async def test_a_list_is_read_page_by_page_until_there_is_no_next(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(3):
        await client.post("/items", json=TEA)

    first = (await client.get("/items", params={"limit": 2})).json()
    last = (await client.get("/items", params={"limit": 2, "after": first["next"]})).json()

    assert [item["id"] for item in first["items"] + last["items"]] == [1, 2, 3]
    assert last["next"] is None


async def test_a_replaced_item_keeps_its_id(client: httpx.AsyncClient) -> None:
    await client.post("/items", json=TEA)

    replaced = await client.put("/items/1", json={"name": "cocoa", "price": 3})

    assert replaced.json() == (await client.get("/items/1")).json()
    assert replaced.json() == {"id": 1, "name": "cocoa", "price": 3.0}


async def test_a_deleted_item_is_gone(client: httpx.AsyncClient) -> None:
    await client.post("/items", json=TEA)

    assert (await client.delete("/items/1")).status_code == 204

    assert (await client.get("/items/1")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_item_is_404_and_says_which_ids_there_are(
    client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/items/7", json=TEA if method == "PUT" else None)

    assert answer.status_code == 404
    assert answer.json()["detail"] == (
        "item 7 does not exist; expected an id that POST /items has answered"
    )


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/items/0", "path.item_id"),
        ("/items/9223372036854775808", "path.item_id"),
        ("/items?limit=0", "query.limit"),
        ("/items?limit=101", "query.limit"),
        ("/items?after=9223372036854775808", "query.after"),
    ],
)
async def test_a_number_out_of_range_is_refused_before_it_reaches_the_store(
    client: httpx.AsyncClient, path: str, field: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"price": 0}, "body.price"),
        ({"price": 1.234}, "body.price"),
        ({"price": 100_000_000}, "body.price"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_a_wrong_item_is_refused_by_field(
    client: httpx.AsyncClient, wrong: dict[str, object], field: str
) -> None:
    answer = await client.post("/items", json=TEA | wrong)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
