"""Has every answer the headers of the OWASP REST set, whatever becomes of the request?"""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from app.boundary import Incoming
from app.layers import build_layers
from app.main import create_app
from app.observability.metrics import Metrics
from app.observability.record import Recorder
from app.security import headers
from app.settings import load
from tests.client import client_of


class Sent(Incoming):
    """Nothing may be sent."""


@pytest.fixture
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
