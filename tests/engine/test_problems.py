"""Is what does not fit refused, and has every error the one shape (RFC 9457)?"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel, Field
from tests.client import client_of

from vitals import problems, validation
from vitals.problems import Problem
from vitals.validation import Incoming, Line, Number, Whole

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "retry_safe"}


class Order(BaseModel):
    amount: float = Field(gt=0)
    password: str = Field(max_length=8)


def routes() -> APIRouter:
    router = APIRouter()

    @router.post("/orders")
    async def order(order: Order) -> Order:
        return order

    @router.put("/orders")
    async def reorder(order: Order) -> Order:
        return order

    @router.api_route("/problem/{status}", methods=["GET", "POST"])
    async def problem(status: int) -> None:
        raise Problem(status, "it did not work", expected="it to work")

    return router


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.include_router(routes())
    async with client_of(service) as client:
        yield client


async def told(answer: httpx.Response) -> dict[str, Any]:
    """The problem that an answer tells; it has the one shape."""
    problem: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() - {"errors"} == MEMBERS
    assert problem["status"] == answer.status_code
    return problem


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 429, 503])
async def test_a_problem_says_what_failed_and_what_was_expected(
    client: httpx.AsyncClient, status: int
) -> None:
    problem = await told(await client.get(f"/problem/{status}"))

    assert problem["detail"] == "it did not work; expected it to work"
    assert problem["instance"] == f"/problem/{status}"


@pytest.mark.parametrize(
    ("method", "status", "safe"),
    [("GET", 503, True), ("POST", 503, False), ("GET", 429, True), ("GET", 404, False)],
)
async def test_only_what_passes_and_can_be_repeated_is_safe_to_retry(
    client: httpx.AsyncClient, method: str, status: int, safe: bool
) -> None:
    problem = await told(await client.request(method, f"/problem/{status}"))

    assert problem["retry_safe"] is safe


@pytest.mark.parametrize("status", [429, 503])
async def test_a_passing_problem_says_when_to_come_back(
    client: httpx.AsyncClient, status: int
) -> None:
    assert (await client.get(f"/problem/{status}")).headers["retry-after"] == "1"


async def test_an_unknown_path_and_a_wrong_method_have_the_shape(client: httpx.AsyncClient) -> None:
    await told(await client.get("/nowhere"))
    wrong_method = await client.get("/orders")
    await told(wrong_method)

    assert wrong_method.headers["allow"] == "POST, PUT"


async def test_a_wrong_value_is_named_with_its_field_and_what_was_expected(
    client: httpx.AsyncClient,
) -> None:
    problem = await told(await client.post("/orders", json={"amount": 0, "password": "x"}))

    assert problem["detail"] == "body.amount: expected a number greater than 0"
    assert problem["errors"] == [
        {
            "field": "body.amount",
            "problem": "not greater than 0",
            "expected": "a number greater than 0",
        }
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount": NaN, "password": "hunter2hunter2"}',
        b'{"amount": 1, "password": "\\ud800hunter2hunter2"}',
        b'{"amount": "hunter2", "password": ["hunter2"]}',
        b'{"password": "hunter2"',
        b"hunter2",
    ],
)
async def test_what_was_sent_is_never_sent_back(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(
        "/orders", content=body, headers={"content-type": "application/json"}
    )

    await told(answer)
    assert answer.status_code < 500
    assert "hunter2" not in answer.text


JSON = {"content-type": "application/json"}


class Sent(Incoming):
    name: Line = Field(max_length=20)
    amount: Annotated[Decimal, Field(strict=False), Number]
    times: int = 1


class Asked(Incoming):
    limit: Annotated[int, Whole] = Field(20, ge=1)


@pytest.fixture(scope="module")
async def with_boundary() -> AsyncIterator[httpx.AsyncClient]:
    routes = validation.router("/things")

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
    problems.install(service)
    service.include_router(routes)
    async with client_of(service) as with_boundary:
        yield with_boundary


async def test_what_fits_comes_in(with_boundary: httpx.AsyncClient) -> None:
    answer = await with_boundary.post(
        "/things", json={"name": "tea\u2028\U0001f375", "amount": 2.5}
    )

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
async def test_what_does_not_fit_is_refused(with_boundary: httpx.AsyncClient, body: bytes) -> None:
    answer = await with_boundary.post("/things", content=body, headers=JSON)

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
async def test_other_content_is_415(
    with_boundary: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    body = b'{"name": "tea", "amount": 1}'

    assert (await with_boundary.post("/things", content=body, headers=headers)).status_code == 415


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; Charset=UTF-8", "application/merge-patch+json"],
)
async def test_json_in_utf_8_is_taken_however_it_is_spelt(
    with_boundary: httpx.AsyncClient, content_type: str
) -> None:
    body = b'{"name": "tea", "amount": 1}'
    answer = await with_boundary.post(
        "/things", content=body, headers={"content-type": content_type}
    )

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
    with_boundary: httpx.AsyncClient, path: str
) -> None:
    answer = await with_boundary.get(path)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_head_answers_like_get(with_boundary: httpx.AsyncClient) -> None:
    assert (await with_boundary.head("/things/1")).headers == (
        await with_boundary.get("/things/1")
    ).headers
