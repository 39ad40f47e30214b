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

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError

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


async def test_the_headers_that_clients_of_apis_send_are_allowed(client: httpx.AsyncClient) -> None:
    answer = await client.options("/items", headers={"origin": SHOP} | PREFLIGHT)

    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    sent = "authorization content-type idempotency-key if-match if-none-match traceparent x-api-key"
    assert [name for name in sent.split() if name not in allowed] == []


async def test_a_service_names_the_allowed_headers_itself() -> None:
    origins, headers = (SHOP,), "X-Tenant, If-Match"

    async with testing.client(
        install(FastAPI(), cors_origins=origins, cors_headers=headers)
    ) as client:
        answer = await client.options("/", headers={"origin": SHOP} | PREFLIGHT)

    assert answer.headers["access-control-allow-headers"] == "X-Tenant, If-Match"


async def test_a_page_may_read_the_headers_that_say_how_to_go_on(client: httpx.AsyncClient) -> None:
    answer = await client.get("/items", headers={"origin": SHOP})

    exposed = answer.headers["access-control-expose-headers"].split(", ")
    wanted = {"X-Request-ID", "Retry-After", "Server-Timing", "ETag", "Location"}
    assert wanted <= set(exposed)


@pytest.mark.parametrize("path", ["/items", "/nowhere", "/livez", "/fail"])
@pytest.mark.parametrize("origin", [None, SHOP, "https://evil.example.com"])
async def test_every_answer_says_once_that_it_varies_by_origin(
    client: httpx.AsyncClient, path: str, origin: str | None
) -> None:
    answer = await client.get(path, headers={"origin": origin} if origin else {})

    assert answer.headers.get_list("vary") == ["Origin"]
    assert ("access-control-allow-origin" in answer.headers) == (origin == SHOP)
