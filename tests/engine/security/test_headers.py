"""What do the headers of an answer tell, and which of a request's are believed?"""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from tests.client import client_of

from app.main import create_app
from vitals import problems
from vitals.install import build_layers
from vitals.observability.access_log import Recorder
from vitals.observability.metrics import Metrics
from vitals.security import headers
from vitals.security.cors import Cors
from vitals.security.hosts import Hosts
from vitals.settings import load
from vitals.validation import Incoming


class Sent(Incoming):
    """Nothing may be sent."""


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = create_app(load({"APP_ENVIRONMENT": "test", "APP_DOCS": "true"}))
    routes = APIRouter()

    @routes.get("/defect")
    async def defect() -> None:
        raise RuntimeError

    @routes.post("/sent")
    async def sent(_: Sent) -> None:
        return None

    service.include_router(routes)
    async with client_of(service) as client:
        yield client


REQUESTS = {
    200: ("GET", "/livez", b""),
    404: ("GET", "/nowhere", b""),
    405: ("DELETE", "/livez", b""),
    413: ("POST", "/sent", b"1" * 2_000_000),
    422: ("POST", "/sent", b'{"more": 1}'),
    500: ("GET", "/defect", b""),
}


@pytest.mark.parametrize("status", REQUESTS)
async def test_every_answer_has_the_whole_set(client: httpx.AsyncClient, status: int) -> None:
    method, path, body = REQUESTS[status]

    answer = await client.request(
        method, path, content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == status
    expected = headers.FIXED | headers.VARIABLE
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
async def test_a_health_answer_is_never_stored(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).headers["cache-control"] == "no-store"


async def test_a_page_has_a_policy_of_its_own_and_only_that(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")

    (policy,) = answer.headers.get_list("content-security-policy")
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-frame-options"] == "DENY"


def test_browsers_are_told_to_stay_with_https_only_where_there_is_https() -> None:
    recorder = Recorder(Metrics({}, list, []), "json", "info")
    told = {}
    for environment in ("local", "test", "staging", "production"):
        settings = load({}).model_copy(update={"environment": environment})
        outermost, *_ = build_layers(settings, recorder, ())
        told[environment] = "strict-transport-security" in str(outermost.kwargs["headers"])

    assert told == {"local": False, "test": False, "staging": True, "production": True}


SHOP = "https://shop.example.com"
PREFLIGHT = {"access-control-request-method": "PUT"}


@pytest.fixture(scope="module")
async def with_cors() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.add_middleware(Cors, origins=(SHOP,))

    @service.get("/items")
    async def items() -> str:
        return "all"

    async with client_of(service) as with_cors:
        yield with_cors


async def test_an_allowed_page_may_read_answers_and_errors(with_cors: httpx.AsyncClient) -> None:
    for path in ("/items", "/nowhere"):
        answer = await with_cors.get(path, headers={"origin": SHOP})

        assert answer.headers["access-control-allow-origin"] == SHOP
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://shop.example.com"])
async def test_any_other_page_may_not(with_cors: httpx.AsyncClient, origin: str) -> None:
    answer = await with_cors.get("/items", headers={"origin": origin})
    preflight = await with_cors.options("/items", headers={"origin": origin} | PREFLIGHT)

    assert "access-control-allow-origin" not in answer.headers
    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers


async def test_a_preflight_of_an_allowed_page_is_answered_before_any_route(
    with_cors: httpx.AsyncClient,
) -> None:
    answer = await with_cors.options("/items", headers={"origin": SHOP} | PREFLIGHT)

    assert answer.status_code == 204
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]


async def test_who_is_no_page_gets_no_header_of_it(with_cors: httpx.AsyncClient) -> None:
    assert "vary" not in (await with_cors.get("/items")).headers


@pytest.fixture(scope="module")
async def with_hosts() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.add_middleware(Hosts, allowed=("api.example.com", "*.example.org"))

    @service.get("/{path:path}")
    async def anything() -> str:
        return "ours"

    async with client_of(service) as with_hosts:
        yield with_hosts


@pytest.mark.parametrize(
    "host", ["api.example.com", "API.example.com:8443", "one.example.org", "a.b.example.org"]
)
async def test_our_own_hosts_are_answered_for(with_hosts: httpx.AsyncClient, host: str) -> None:
    assert (await with_hosts.get("/items", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["10.0.0.7:8000", "example.org", "api.example.com.evil.net", "evilexample.org", ""]
)
async def test_any_other_host_is_400(with_hosts: httpx.AsyncClient, host: str) -> None:
    answer = await with_hosts.get("/items", headers={"host": host})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert host not in answer.text or not host


async def test_two_hosts_in_one_request_are_400(with_hosts: httpx.AsyncClient) -> None:
    hosts = [("host", "api.example.com"), ("host", "api.example.com")]

    assert (await with_hosts.get("/items", headers=hosts)).status_code == 400


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_and_scrapers_may_ask_by_address(
    with_hosts: httpx.AsyncClient, path: str
) -> None:
    assert (await with_hosts.get(path, headers={"host": "10.0.0.7:8000"})).status_code == 200


SAID = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


async def address_told(came_from: str, trusted: str) -> str:
    """Where the service sends a client that asked with a slash too many."""
    settings = load(
        {
            "APP_ENVIRONMENT": "test",
            "APP_LOG_LEVEL": "error",
            "APP_TRUSTED_PROXIES": trusted,
        }
    )
    transport = httpx.ASGITransport(create_app(settings), client=(came_from, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.internal") as client:
        return (await client.get("/livez/", headers=SAID)).headers["location"]


async def test_our_proxy_is_believed() -> None:
    assert (await address_told("10.1.2.3", "10.0.0.0/8")).startswith("https://")


@pytest.mark.parametrize(
    ("came_from", "trusted"),
    [("192.0.2.1", "10.0.0.0/8"), ("10.1.2.3", ""), ("10.1.2.3", "10.0.0.1")],
)
async def test_anybody_else_is_not(came_from: str, trusted: str) -> None:
    assert (await address_told(came_from, trusted)).startswith("http://")
