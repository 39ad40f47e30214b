"""CORS: which pages may read the answers."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.engine.applications import install
from vitals import testing

SHOP = "https://shop.example.com"
PREFLIGHT = {"access-control-request-method": "PUT"}


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.get("/items")
    async def items() -> str:
        return "all"

    async with testing.client(install(app, cors_origins=(SHOP,))) as client:
        yield client


async def test_an_allowed_page_may_read_answers_and_errors(client: httpx.AsyncClient) -> None:
    for path in ("/items", "/nowhere"):
        answer = await client.get(path, headers={"origin": SHOP})

        assert answer.headers["access-control-allow-origin"] == SHOP
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://shop.example.com"])
async def test_any_other_page_may_not(client: httpx.AsyncClient, origin: str) -> None:
    answer = await client.get("/items", headers={"origin": origin})
    preflight = await client.options("/items", headers={"origin": origin} | PREFLIGHT)

    assert "access-control-allow-origin" not in answer.headers
    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers


async def test_a_preflight_of_an_allowed_page_is_answered_before_any_route(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.options("/items", headers={"origin": SHOP} | PREFLIGHT)

    assert answer.status_code == 204
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]


async def test_a_request_without_an_origin_gets_no_header_of_cors(
    client: httpx.AsyncClient,
) -> None:
    assert "vary" not in (await client.get("/items")).headers
