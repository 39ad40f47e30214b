"""Errors in the one shape (RFC 9457), whoever raises them."""

import math
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

import vitals
from tests.engine.applications import install
from vitals import Problem, problems, testing

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "retry_safe"}
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    520: "HTTP 520",
    599: "HTTP 599",
}


class Order(BaseModel):
    amount: float = Field(gt=0)
    password: str = Field(max_length=8)


class OutOfStock(Problem):
    type, title = "urn:problem:out-of-stock", "Out of Stock"


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

    @router.get("/http/{status}")
    async def http(status: int) -> None:
        raise HTTPException(status)

    @router.get("/data")
    async def data() -> None:
        raise HTTPException(409, {"sku": "a-1", "left": 0}, headers={"X-Own": "yes"})

    @router.get("/nan")
    async def nan() -> None:
        raise HTTPException(409, {"left": math.nan})

    @router.get("/empty")
    async def empty() -> None:
        raise HTTPException(520, "")

    @router.get("/text")
    async def text() -> None:
        raise HTTPException(409, "the order is closed")

    @router.get("/out-of-stock")
    async def out_of_stock() -> None:
        raise OutOfStock(409, "no coffee is left", members={"sku": "a-1", "status": 1})

    @router.get("/nothing")
    async def nothing() -> None:
        raise RequestValidationError([])

    @router.get("/defect")
    async def defect() -> None:
        raise RuntimeError("hunter2")

    return router


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(routes())
    async with testing.client(install(app)) as client:
        yield client


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The problem that an answer holds; it has the one shape."""
    problem: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() - {"errors"} == MEMBERS
    assert problem["status"] == answer.status_code
    return problem


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 429, 503])
async def test_a_problem_says_what_failed_and_what_was_expected(
    client: httpx.AsyncClient, status: int
) -> None:
    problem = problem_of(await client.get(f"/problem/{status}"))

    assert problem["detail"] == "it did not work; expected it to work"
    assert problem["instance"] == f"/problem/{status}"


@pytest.mark.parametrize(
    ("method", "status", "safe"),
    [("GET", 503, True), ("POST", 503, False), ("GET", 429, True), ("GET", 404, False)],
)
async def test_only_a_temporary_state_of_an_idempotent_request_is_safe_to_retry(
    client: httpx.AsyncClient, method: str, status: int, safe: bool
) -> None:
    problem = problem_of(await client.request(method, f"/problem/{status}"))

    assert problem["retry_safe"] is safe


@pytest.mark.parametrize("status", [429, 503])
async def test_a_temporary_problem_says_when_to_retry(
    client: httpx.AsyncClient, status: int
) -> None:
    assert (await client.get(f"/problem/{status}")).headers["retry-after"] == "1"


async def test_an_unknown_path_and_a_wrong_method_have_the_shape(client: httpx.AsyncClient) -> None:
    problem_of(await client.get("/nowhere"))
    wrong_method = await client.get("/orders")
    problem_of(wrong_method)

    assert wrong_method.headers["allow"] == "POST, PUT"


async def test_a_wrong_value_is_named_with_its_field_and_what_was_expected(
    client: httpx.AsyncClient,
) -> None:
    problem = problem_of(await client.post("/orders", json={"amount": 0, "password": "x"}))

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
async def test_a_rejected_value_is_never_echoed(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(
        "/orders", content=body, headers={"content-type": "application/json"}
    )

    problem_of(answer)
    assert answer.status_code < 500
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("raised_by", ["problem", "http"])
@pytest.mark.parametrize("status", PHRASES)
async def test_a_title_is_the_phrase_of_the_status_whoever_raises_it(
    client: httpx.AsyncClient, raised_by: str, status: int
) -> None:
    problem = (await client.get(f"/{raised_by}/{status}")).json()

    assert problem["title"] == PHRASES[status]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, "urn:problem:not-found"),
        (422, "urn:problem:validation-failed"),
        (500, "urn:problem:internal-error"),
        (520, "urn:problem:status-520"),
    ],
)
async def test_a_type_is_made_from_the_status(
    client: httpx.AsyncClient, status: int, expected: str
) -> None:
    assert (await client.get(f"/problem/{status}")).json()["type"] == expected


def test_no_phrase_depends_on_the_version_of_python() -> None:
    ours = {status for status, phrase in PHRASES.items() if not phrase.startswith("HTTP ")}

    assert {status: problems.PHRASES[status] for status in ours} == {s: PHRASES[s] for s in ours}
    assert problems.PHRASES.keys() >= {status.value for status in HTTPStatus}


async def test_a_text_stays_the_detail_and_any_other_value_becomes_data(
    client: httpx.AsyncClient,
) -> None:
    text, data = await client.get("/text"), await client.get("/data")

    assert text.json()["detail"] == "the order is closed"
    assert "data" not in text.json()
    assert (data.json()["detail"], data.json()["title"]) == ("Conflict", "Conflict")
    assert data.json()["data"] == {"sku": "a-1", "left": 0}
    assert data.headers["x-own"] == "yes"


async def test_an_error_without_a_detail_has_its_title_as_one(client: httpx.AsyncClient) -> None:
    assert (await client.get("/empty")).json()["detail"] == "HTTP 520"


async def test_data_that_json_can_not_hold_is_500_as_with_the_framework(
    client: httpx.AsyncClient,
) -> None:
    assert problem_of(await client.get("/nan"))["status"] == 500


async def test_a_problem_of_its_own_has_a_type_a_title_and_members_but_the_same_shape(
    client: httpx.AsyncClient,
) -> None:
    problem = (await client.get("/out-of-stock")).json()

    assert problem.keys() == MEMBERS | {"sku"}
    assert (problem["type"], problem["title"]) == ("urn:problem:out-of-stock", "Out of Stock")
    assert (problem["sku"], problem["status"]) == ("a-1", 409)


@pytest.mark.parametrize("raised_by", ["problem", "http"])
@pytest.mark.parametrize("status", [204, 205, 304])
async def test_a_status_without_a_body_has_none(
    client: httpx.AsyncClient, raised_by: str, status: int
) -> None:
    answer = await client.get(f"/{raised_by}/{status}")

    assert (answer.status_code, answer.content) == (status, b"")
    assert "content-type" not in answer.headers


async def test_a_validation_error_without_errors_is_422(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nothing")

    assert problem_of(answer)["status"] == 422


async def test_an_unhandled_error_is_500_without_its_message(client: httpx.AsyncClient) -> None:
    answer = await client.get("/defect")

    assert problem_of(answer)["status"] == 500
    assert "hunter2" not in answer.text


async def test_unknown_query_parameters_are_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez?limti=1")).status_code == 200


async def test_another_shape_of_errors_replaces_ours_everywhere() -> None:
    def error_response(status: int, problem: dict[str, Any]) -> Response:
        return JSONResponse({"errors": {"body": [problem["detail"]]}}, status)

    app = FastAPI()

    @app.get("/busy", openapi_extra=vitals.PUBLIC)
    async def busy() -> None:
        raise vitals.Problem(503, "busy", retry_after=7)

    settings = vitals.Settings(environment="test", allowed_hosts=("test",))
    vitals.install(app, settings, error_response=error_response)

    async with testing.client(app) as client:
        answers = [
            await client.get("/busy"),
            await client.get("/nowhere"),
            await client.get("/busy", headers={"Host": "elsewhere"}),
        ]

    assert [answer.status_code for answer in answers] == [503, 404, 400]
    assert all(list(answer.json()) == ["errors"] for answer in answers)
    assert answers[0].headers["Retry-After"] == "7"
