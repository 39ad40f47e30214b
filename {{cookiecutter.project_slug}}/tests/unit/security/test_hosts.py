"""Is a request for somebody else's host refused, and is a probe by address let in?"""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app import errors
from app.security.hosts import Hosts
from tests.client import client_of


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    errors.install(service)
    service.add_middleware(Hosts, allowed=("api.example.com", "*.example.org"))

    @service.get("/{path:path}")
    async def anything() -> str:
        return "ours"

    async with client_of(service) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["api.example.com", "API.example.com:8443", "one.example.org", "a.b.example.org"]
)
async def test_our_own_hosts_are_answered_for(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/items", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["10.0.0.7:8000", "example.org", "api.example.com.evil.net", "evilexample.org", ""]
)
async def test_any_other_host_is_400(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/items", headers={"host": host})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert host not in answer.text or not host


async def test_two_hosts_in_one_request_are_400(client: httpx.AsyncClient) -> None:
    hosts = [("host", "api.example.com"), ("host", "api.example.com")]

    assert (await client.get("/items", headers=hosts)).status_code == 400


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_and_scrapers_may_ask_by_address(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"host": "10.0.0.7:8000"})).status_code == 200
