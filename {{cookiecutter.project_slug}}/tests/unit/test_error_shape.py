"""Has every error the one shape (RFC 9457), and does it say what to do, but never what was sent?"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field

from app import errors
from app.errors import Problem
from tests.client import client_of

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


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    errors.install(service)
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
