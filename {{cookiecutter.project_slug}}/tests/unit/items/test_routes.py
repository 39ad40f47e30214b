"""The paths under /items."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

import vitals
from app.items.routes import router
from app.items.store import MemoryItems
from app.settings import Settings
from vitals import testing

TEA = {"name": "tea", "price": 2.5}


async def test_a_created_item_is_found_at_the_address_in_the_answer(
    client: httpx.AsyncClient,
) -> None:
    created = await client.post("/items", json=TEA)

    assert created.status_code == 201
    found = await client.get(created.headers["location"])
    assert found.json() == created.json() == created.json() | TEA | {"id": 1}


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
    assert replaced.json() == replaced.json() | {"id": 1, "name": "cocoa", "price": 3.0}


async def test_a_deleted_item_is_gone(client: httpx.AsyncClient) -> None:
    await client.post("/items", json=TEA)

    assert (await client.delete("/items/1")).status_code == 204

    assert (await client.get("/items/1")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_item_is_404_and_the_answer_says_which_ids_are_valid(
    client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/items/7", json=TEA if method == "PUT" else None)

    assert answer.status_code == 404
    assert answer.json()["detail"] == (
        "item 7 does not exist; expected an id that POST /items returned"
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
async def test_a_number_out_of_range_is_refused_with_the_name_of_its_field(
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
async def test_an_invalid_item_is_refused_with_the_name_of_its_field(
    client: httpx.AsyncClient, wrong: dict[str, object], field: str
) -> None:
    answer = await client.post("/items", json=TEA | wrong)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.fixture(scope="module")
async def reader() -> AsyncIterator[httpx.AsyncClient]:
    """A client whose caller may only read."""

    async def verify(token: str) -> vitals.Caller:
        return vitals.Caller(token, frozenset({"items:read"}))

    app = FastAPI()
    app.include_router(router(MemoryItems()))
    vitals.install(app, Settings(environment="test"), verify=verify)
    async with testing.client(app) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/items", 200),
        ("GET", "/items/1", 404),
        ("POST", "/items", 403),
        ("PUT", "/items/1", 403),
        ("DELETE", "/items/1", 403),
        ("GET", "/items/1/attachment", 403),
        ("PUT", "/items/1/attachment", 403),
    ],
)
async def test_all_but_list_and_read_need_the_scope_items_write(
    reader: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    headers = {"Authorization": "Bearer somebody"}

    answer = await reader.request(method, path, headers=headers)

    assert answer.status_code == status
