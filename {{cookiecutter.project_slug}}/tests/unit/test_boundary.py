"""Does anything come in that is not what it should be? Each refusal has the one shape."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import Field

from app import boundary, errors
from app.boundary import Incoming, Line, Number, Whole
from tests.client import client_of

JSON = {"content-type": "application/json"}


class Sent(Incoming):
    name: Line = Field(max_length=20)
    amount: Annotated[Decimal, Field(strict=False), Number]
    times: int = 1


class Asked(Incoming):
    limit: Annotated[int, Whole] = Field(20, ge=1)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    routes = boundary.router("/things")

    @routes.post("")
    async def send(sent: Sent) -> str:
        return sent.name

    @routes.get("")
    async def ask(asked: Annotated[Asked, Query()]) -> int:
        return asked.limit

    @routes.get("/{thing_id}")
    async def read(thing_id: Annotated[int, Whole]) -> int:
        return thing_id

    service = FastAPI(openapi_url=None)
    errors.install(service)
    service.include_router(routes)
    async with client_of(service) as client:
        yield client


async def test_what_fits_comes_in(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json={"name": "tea\u2028\U0001f375", "amount": 2.5})

    assert answer.json() == "tea\u2028\U0001f375"


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
async def test_what_does_not_fit_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/things", content=body, headers=JSON)

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["retry_safe"] is False
    assert "expected" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/jsonp"},
        JSON | {"content-encoding": "gzip"},
    ],
)
async def test_other_content_is_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    body = b'{"name": "tea", "amount": 1}'

    assert (await client.post("/things", content=body, headers=headers)).status_code == 415


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; Charset=UTF-8", "application/merge-patch+json"],
)
async def test_json_in_utf_8_is_taken_however_it_is_spelt(
    client: httpx.AsyncClient, content_type: str
) -> None:
    body = b'{"name": "tea", "amount": 1}'
    answer = await client.post("/things", content=body, headers={"content-type": content_type})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/things?limit=1_0",
        "/things?limit=%201",
        "/things?limit=1.0",
        "/things?limit=%EF%BC%91",
        "/things?limti=1",
        "/things/1_0",
        "/things/%2B1",
        "/things/0x1",
        "/things/1?limit=1",
    ],
)
async def test_a_path_or_query_that_is_not_meant_is_422(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_head_answers_like_get(client: httpx.AsyncClient) -> None:
    assert (await client.head("/things/1")).headers == (await client.get("/things/1")).headers
