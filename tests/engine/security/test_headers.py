"""The headers of every answer."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Response

import vitals
from tests.engine.applications import install, settings
from vitals import testing
from vitals.security import headers
from vitals.validation import Model


class Empty(Model):
    """Nothing may be sent."""


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError

    @app.post("/sent")
    async def sent(_: Empty) -> None:
        return None

    @app.get("/own")
    async def own() -> Response:
        return Response("x", headers={"Cache-Control": "max-age=60", "X-Frame-Options": "own"})

    return app


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with testing.client(install(application(), docs=True)) as client:
        yield client


REQUESTS = {
    200: ("GET", "/livez", b""),
    401: ("GET", "/metrics", b""),
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
    expected = headers.FIXED | headers.DEFAULTS
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "server" not in answer.headers
    assert answer.headers["x-request-id"]


async def test_a_route_may_set_a_default_header_to_its_own_value(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/own")

    assert answer.headers.get_list("cache-control") == ["max-age=60"]
    expected = headers.DEFAULTS["Content-Security-Policy"]
    assert answer.headers.get_list("content-security-policy") == [expected]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
async def test_a_health_answer_is_never_stored(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).headers["cache-control"] == "no-store"


async def test_the_docs_page_has_one_policy_of_its_own(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")

    (policy,) = answer.headers.get_list("content-security-policy")
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-frame-options"] == "DENY"


async def test_browsers_stay_with_https_everywhere_but_locally() -> None:
    given = {}
    for environment in ("local", "test", "staging", "production"):
        async with testing.client(install(FastAPI(), environment=environment)) as client:
            answer = await client.get("/livez")
        given[environment] = "strict-transport-security" in answer.headers

    assert given == {"local": False, "test": True, "staging": True, "production": True}


async def test_without_settings_an_answer_gets_its_request_id_and_no_other_header() -> None:
    untouched, installed = application(), application()
    vitals.install(installed)

    async with testing.client(untouched) as before, testing.client(installed) as after:
        for path in ("/own", "/nowhere"):
            expected, answer = await before.get(path), await after.get(path)
            own = {"x-request-id": answer.headers["x-request-id"]}
            assert dict(answer.headers) == dict(expected.headers) | own


async def test_server_timing_is_sent_only_where_it_is_on() -> None:
    for on in (False, True):
        app = FastAPI()
        vitals.install(app, settings(server_timing=on))
        async with testing.client(app) as client:
            assert ("server-timing" in (await client.get("/livez")).headers) is on
