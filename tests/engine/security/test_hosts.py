"""Allowed hosts, and the proxies whose headers are trusted."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.engine.applications import install
from vitals import testing


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.get("/items")(lambda: "all")
    hosts = ("api.example.com", "*.example.org")
    async with testing.client(install(app, allowed_hosts=hosts, environment="local")) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["api.example.com", "API.example.com:8443", "one.example.org", "a.b.example.org"]
)
async def test_an_allowed_host_is_answered(client: httpx.AsyncClient, host: str) -> None:
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


FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


async def redirect(came_from: str, trusted: str) -> str:
    """Where a client is redirected to that asked with a slash too many."""
    app = install(FastAPI(), trusted_proxies=trusted)
    transport = httpx.ASGITransport(app, client=(came_from, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.internal") as client:
        return (await client.get("/livez/", headers=FORWARDED)).headers["location"]


async def test_a_trusted_proxy_decides_on_the_scheme() -> None:
    assert (await redirect("10.1.2.3", "10.0.0.0/8")).startswith("https://")


@pytest.mark.parametrize(
    ("came_from", "trusted"),
    [("192.0.2.1", "10.0.0.0/8"), ("10.1.2.3", ""), ("10.1.2.3", "10.0.0.1")],
)
async def test_anyone_else_does_not(came_from: str, trusted: str) -> None:
    assert (await redirect(came_from, trusted)).startswith("http://")
