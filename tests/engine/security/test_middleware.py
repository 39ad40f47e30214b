"""The order of the middleware: CORS is outside of every refusal, the limits outside of routes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from tests.engine.applications import Lines, install
from vitals import testing
from vitals.security import request_timeout

SHOP = "https://shop.example.com"
ORIGIN = {"origin": SHOP}
PREFLIGHT = ORIGIN | {"access-control-request-method": "POST"}


def application(**given: Any) -> FastAPI:
    app = FastAPI()

    @app.post("/body")
    async def body(body: list[int]) -> int:
        return len(body)

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    limits: dict[str, Any] = {"max_body_bytes": 1_024, "request_seconds": 0.1}
    limits["cors_origins"] = (SHOP,)
    return install(app, allowed_hosts=("test",), **(limits | given))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_timeout, "SWEEP_SECONDS", 0.01)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with testing.client(application()) as client:
        yield client


@asynccontextmanager
async def ending(app: FastAPI, reason: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose connection asks for the end of each request."""

    async def connection(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"end": reason}}, receive, send)

    transport = httpx.ASGITransport(connection)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


REFUSED: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    "the host": (400, "POST", "/body", {"headers": {"host": "evil.example.com"}}),
    "the path": (404, "GET", "/nowhere", {}),
    "the method": (405, "GET", "/body", {}),
    "the host's syntax": (400, "GET", "/nowhere", {"headers": {"host": "evil.org#.test"}}),
    "the query": (400, "GET", "/nowhere?" + "a&" * 300, {}),
    "the body": (413, "POST", "/body", {"content": b"1" * 2_000}),
    "the content type": (415, "POST", "/body", {"content": b"1"}),
    "the model": (422, "POST", "/body", {"json": {}}),
    "a defect": (500, "GET", "/defect", {}),
    "too late": (503, "GET", "/slow", {}),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_an_allowed_page_may_read_every_refusal(client: httpx.AsyncClient, what: str) -> None:
    status, method, path, options = REFUSED[what]

    answer = await client.request(
        method, path, **options | {"headers": options.get("headers", {}) | ORIGIN}
    )

    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("reason", ["full", "stopping"])
async def test_an_allowed_page_may_read_that_the_service_is_full_or_stopping(reason: str) -> None:
    async with ending(application(), reason) as client:
        answer = await client.get("/nowhere", headers=ORIGIN)

    assert answer.status_code == 503
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"host": "evil.example.com"}},
        {"content": b"1" * 2_000},
        {"headers": {"content-type": "application/json; charset=utf-16"}, "content": b"1"},
    ],
    ids=["another host", "a large body", "another charset"],
)
async def test_a_preflight_is_never_refused(
    client: httpx.AsyncClient, options: dict[str, Any]
) -> None:
    headers = options.get("headers", {}) | PREFLIGHT

    answer = await client.request("OPTIONS", "/body", **options | {"headers": headers})

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SHOP


async def test_a_preflight_and_every_refusal_has_its_line() -> None:
    app = application()
    lines = Lines(app)
    async with testing.client(app) as client:
        await client.options("/body", headers=PREFLIGHT)
        await client.get("/nowhere", headers={"host": "evil.example.com"})
        await client.post("/body", content=b"1" * 2_000)

    assert [line[line.index('"status"') :].partition(",")[0] for line in lines] == [
        '"status":204',
        '"status":400',
        '"status":413',
    ]


async def test_the_hosts_are_checked_before_a_body_is_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/body", content=b"1" * 2_000, headers={"host": "evil.example.com"})

    assert answer.status_code == 400


async def test_what_is_not_configured_is_not_installed() -> None:
    app = application(cors_origins=())

    async with testing.client(app) as client:
        answer = await client.get("/nowhere", headers=ORIGIN)

    assert "vary" not in answer.headers
