"""Errors in the one shape (RFC 9457), whoever raises them."""

import math
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Security
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


async def order(order: Order) -> Order:
    return order


def conduit(status: int, problem: dict[str, Any]) -> Response:
    """The shape of the RealWorld specification."""
    found = [f"{each['field']} {each['problem']}" for each in problem.get("errors", [])]
    return JSONResponse({"errors": {"body": found or [problem["detail"]]}}, status)


def conduits(**given: Any) -> FastAPI:
    app, secret = FastAPI(), Security(vitals.caller, scopes=["orders:write"])
    app.include_router(routes())
    app.get("/secret", dependencies=[secret])(lambda: None)
    settings = vitals.Settings(environment="test", allowed_hosts=("test",), max_body_bytes=1024)
    arguments: dict[str, Any] = {"error_response": conduit, "verify": nobody} | given
    vitals.install(app, settings, **arguments)
    return app


async def nobody(token: str) -> None:
    """A token that nobody has."""


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", "/orders", {"json": {"amount": 0}}, 422),
        (
            "POST",
            "/orders",
            {"content": b"{", "headers": {"Content-Type": "application/json"}},
            422,
        ),
        ("POST", "/orders", {"content": b"a", "headers": {"Content-Type": "text/csv"}}, 415),
        ("POST", "/orders", {"json": {"password": "x" * 2_000}}, 413),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/orders", {}, 405),
        ("GET", "/defect", {}, 500),
        ("GET", "/http/520", {}, 520),
        ("GET", "/problem/503", {}, 503),
        ("GET", "/out-of-stock", {}, 409),
        ("GET", "/secret", {}, 401),
        ("GET", "/secret", {"headers": {"Authorization": "Bearer x"}}, 401),
        ("GET", "/metrics", {}, 401),
        ("GET", "/orders", {"headers": {"Host": "elsewhere"}}, 400),
    ],
)
async def test_another_shape_of_errors_replaces_ours_everywhere(
    method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    async with testing.client(conduits()) as client:
        answer = await client.request(method, path, **sent)

    assert answer.status_code == status
    assert list(answer.json()) == ["errors"]
    assert answer.headers["Content-Type"] == "application/json"
    assert "hunter2" not in answer.text
    assert answer.headers["X-Request-ID"]


async def test_another_shape_keeps_the_headers_of_an_error() -> None:
    async with testing.client(conduits()) as client:
        busy, secret = await client.get("/problem/503"), await client.get("/secret")
        nothing = await client.get("/problem/204")

    assert busy.headers["Retry-After"] == "1"
    assert secret.headers["WWW-Authenticate"].startswith("Bearer")
    assert nothing.content == b""


async def test_an_error_in_the_function_for_errors_is_500() -> None:
    def picky(status: int, problem: dict[str, Any]) -> Response:
        if status == 404:
            raise RuntimeError("hunter2")
        return conduit(status, problem)

    async with testing.client(conduits(error_response=picky)) as client:
        answer = await client.get("/nowhere")
        assert (answer.status_code, "hunter2" in answer.text) == (500, False)
        assert list(answer.json()) == ["errors"]
        assert (await client.get("/livez")).is_success


def test_another_shape_is_described_in_place_of_ours() -> None:
    app = FastAPI()
    app.post("/orders")(order)
    vitals.install(app, vitals.Settings(environment="test"), error_response=conduit)

    described = app.openapi()

    content = described["paths"]["/orders"]["post"]["responses"]["422"]["content"]
    assert content == {"application/json": {"example": {"errors": {"body": ["body.name missing"]}}}}
    assert "Problem" not in described["components"]["schemas"]
    assert "application/problem+json" not in str(described)
    assert app.openapi() == described
