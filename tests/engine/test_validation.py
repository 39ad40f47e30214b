"""Models and field types of the engine, behind an ordinary router."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from tests.engine.applications import install
from vitals import testing
from vitals.validation import Amount, Line, Model

JSON = {"content-type": "application/json"}


class Thing(Model):
    name: Line = Field(max_length=20)
    amount: Amount
    times: int = 1


class Order(Model):
    tags: list[str] = Field(default_factory=list, max_length=5)
    numbers: list[int] = Field(default_factory=list, max_length=5_000)
    pairs: tuple[int, str] = (1, "a")
    things: list[Thing] = Field(default_factory=list)
    metadata: dict[str, list[int]] = Field(default_factory=dict)
    default: set[int] | None = None
    orders: "list[Order]" = Field(default_factory=list)


class Open(Thing):
    model_config = ConfigDict(extra="allow")


class Loose(BaseModel):
    times: int


class ThingQuery(BaseModel):
    limit: int = Field(20, ge=1)


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app, routes = FastAPI(openapi_url=None), APIRouter(prefix="/things")

    @routes.post("")
    async def create(thing: Thing) -> Thing:
        return thing

    @routes.post("/loose")
    async def loose(loose: Loose) -> int:
        return loose.times

    @routes.post("/orders")
    async def order(order: Order) -> int:
        return len(order.numbers)

    @routes.post("/open")
    async def open_(thing: Open) -> int:
        return len(thing.model_extra or {})

    @routes.get("")
    async def page(query: Annotated[ThingQuery, Query()]) -> int:
        return query.limit

    @routes.post("/numbers")
    async def numbers(numbers: list[int]) -> int:
        return len(numbers)

    @routes.get("/{thing_id}")
    async def read(thing_id: int) -> int:
        return thing_id

    app.include_router(routes)
    async with testing.client(install(app)) as client:
        yield client


async def test_a_body_that_matches_is_accepted_and_answered_as_json_numbers(
    client: httpx.AsyncClient,
) -> None:
    sent = {"name": "tea\u00a0\U0001f375", "amount": 2.5, "times": 1}

    assert (await client.post("/things", json=sent)).json() == sent


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "tea", "amount": "2.5"}',
        b'{"name": "tea", "amount": true}',
        b'{"name": "tea", "amount": NaN}',
        b'{"name": "tea", "amount": -Infinity}',
        b'{"name": "tea", "amount": 1e999}',
        b'{"name": "tea", "amount": 1, "times": 1.0}',
        b'{"name": "tea", "amount": 1, "times": "1"}',
        b'{"name": "tea", "amount": 1, "more": null}',
        b'{"name": "te\\u0000a", "amount": 1}',
        b'{"name": "te\\u001ba", "amount": 1}',
        b'{"name": "te\\na", "amount": 1}',
        b'{"name": "te\\u0080a", "amount": 1}',
        b'{"name": "te\\u009fa", "amount": 1}',
        b'{"name": "te\\u2028a", "amount": 1}',
        '{"name": "te\u2029a", "amount": 1}'.encode(),
        b'{"name": "\\ud800", "amount": 1}',
        b'{"name": 7, "amount": 1}',
        b'["name", "amount"]',
        b"null",
        b"",
        b"{",
        b"\xff",
        b'{"name": "tea", "amount": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
    ],
)
async def test_a_body_that_does_not_match_the_model_is_refused(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post("/things", content=body, headers=JSON)

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["retry_safe"] is False
    assert "expected" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("amount", "is_valid"),
    [(0.01, True), (99_999_999.99, True), (7, True), (0, False), (1.005, False), (1e8, False)],
)
async def test_an_amount_is_above_0_with_at_most_two_decimal_places(
    client: httpx.AsyncClient, amount: float, is_valid: bool
) -> None:
    answer = await client.post("/things", json={"name": "tea", "amount": amount})

    assert answer.status_code == (200 if is_valid else 422)


async def test_a_model_of_pydantics_own_is_read_as_pydantic_says(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/things/loose", json={"times": "1", "more": None})

    assert answer.json() == 1


async def test_an_unknown_query_parameter_is_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/things?limti=1")).json() == 20


@pytest.mark.parametrize("path", ["/things?limit=0", "/things?limit=x", "/things/0x1"])
async def test_a_path_or_query_that_does_not_match_is_422(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


THING: dict[str, object] = {"name": "tea", "amount": 1}
UNKNOWN = {f"field{number}": 1 for number in range(100)}


async def test_a_few_unknown_fields_are_named_and_many_are_not(client: httpx.AsyncClient) -> None:
    few = await client.post("/things", json=THING | dict(list(UNKNOWN.items())[:20]))
    many = await client.post("/things", json=THING | UNKNOWN)

    assert [error["problem"] for error in few.json()["errors"]] == ["unknown"] * 20
    assert [error["problem"] for error in many.json()["errors"]] == ["too many unknown fields"]
    assert many.json()["detail"] == "body: expected only known fields"


async def test_a_model_that_allows_unknown_fields_takes_any_number(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.post("/things/open", json=THING | UNKNOWN)).json() == 100


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"tags": [1, 2]}, ["body.tags.0", "body.tags.1"]),  # short: each is named
        ({"numbers": ["a", "b"]}, ["body.numbers.0"]),
        ({"things": [THING] * 10_001}, ["body.things"]),
        ({"things": [{}] * 1_000}, ["body.things.0.name", "body.things.0.amount"]),
        ({"things": [THING | UNKNOWN] * 100}, ["body.things.0"]),
        ({"metadata": {"a": ["x", "y"]}}, ["body.metadata.a.0"]),
        ({"metadata": {str(number): [] for number in range(10_001)}}, ["body.metadata"]),
        ({"orders": [{"orders": [{"numbers": ["x"] * 9}] * 9}] * 9}, None),
    ],
)
async def test_a_long_list_ends_at_its_first_wrong_member_or_at_its_bound(
    client: httpx.AsyncClient, body: object, faults: list[str] | None
) -> None:
    answer = await client.post("/things/orders", json=body)

    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == (faults or ["body.orders.0.orders.0.numbers.0"])


async def test_a_list_with_a_bound_of_its_own_takes_as_many_members(
    client: httpx.AsyncClient,
) -> None:
    numbers = list(range(5_000))

    assert (await client.post("/things/orders", json={"numbers": numbers})).json() == 5_000
    assert (await client.post("/things/orders", json={"numbers": [*numbers, 1]})).status_code == 422


async def test_a_body_of_an_ordinary_length_may_hold_thousands_of_members(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.post("/things/orders", json={"things": [THING] * 5_000})).json() == 0


async def test_the_errors_beyond_the_first_20_are_counted(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things/numbers", json=["x"] * 25)

    assert len(answer.json()["errors"]) == 20
    assert answer.json()["detail"].endswith("; 5 more errors are not listed")


class Card(Model):
    kind: Literal["card"]


class Cash(Model):
    kind: Literal["cash"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/pay/tag", "one of 'card', 'cash'"), ("/pay/zz-secret", "a UUID")],
)
async def test_a_message_of_pydantic_that_holds_the_value_is_replaced(
    path: str, expected: str
) -> None:
    app = install(FastAPI())

    @app.post("/pay/tag")
    async def pay(body: Annotated[Card | Cash, Field(discriminator="kind")]) -> None: ...

    @app.post("/pay/{number}")
    async def pay_one(number: UUID) -> None: ...

    async with testing.client(app) as client:
        answer = await client.post(path, json={"kind": "zz expected tags: zz"})

    [error] = answer.json()["errors"]
    assert error["expected"] == expected
    assert "z" not in error["problem"]
