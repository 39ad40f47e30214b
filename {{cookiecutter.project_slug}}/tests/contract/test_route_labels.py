"""Labels of routes and the route index: they read private parts of the framework."""

import re
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

import vitals
from vitals import testing
from vitals.framework import searches_as_known
from vitals.route_index import RouteIndex

UNMATCHED, MOUNTED = "__unmatched__", "__mounted__"
EXPECTED = {
    "GET /plain/1": (200, "/plain/{number}"),
    "GET /plain/x": (422, "/plain/{number}"),
    "POST /plain/1": (405, "/plain/{number}"),
    "HEAD /plain/1": (200, "/plain/{number}"),
    "GET /plain/1/": (307, UNMATCHED),  # a redirect to the path without the slash
    "GET /api/outer/b/1": (200, "/api/outer/b/{number}"),
    "GET /again/outer/b/1": (200, "/again/outer/b/{number}"),  # one router, included twice
    "POST /again/outer/b/1": (405, "/again/outer/b/{number}"),
    "GET /api/outer/mid/inner/1": (200, "/api/outer/mid/inner/{number}"),
    "GET /nope": (404, UNMATCHED),
    "GET /mounted/s/1": (200, "/mounted/s/{number}"),
    "GET /mounted/v1/t/1": (200, "/mounted/v1/t/{number}"),
    "GET /mounted/nope": (404, MOUNTED),
    "GET /of/acme/s/1": (200, "/of/{tenant}/s/{number}"),
    "GET /static/nope": (404, MOUNTED),
}
SERIES = re.compile(
    r'http_server_request_duration_seconds_count\{http_request_method="\w+",'
    r'http_route="(.*?)",http_response_status_code="(\d+)"\}'
)


async def number_(number: int) -> int:
    return number


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """An application with a route of every shape."""
    app, mounted = FastAPI(), FastAPI()
    inner, outer, versioned = (APIRouter(prefix=name) for name in ("/inner", "/outer", "/v1"))
    inner.get("/{number}")(number_)
    outer.get("/b/{number}")(number_)
    outer.include_router(inner, prefix="/mid")
    mounted.get("/s/{number}")(number_)
    versioned.get("/t/{number}")(number_)
    mounted.include_router(versioned)
    app.get("/plain/{number}")(number_)
    app.include_router(outer, prefix="/api")
    app.include_router(outer, prefix="/again")
    app.mount("/mounted", mounted)
    app.router.routes.append(Mount("/of/{tenant}", app=mounted))
    app.mount("/static", StaticFiles(directory=tmp_path))
    vitals.install(app, vitals.Settings(environment="local"), guard=False)
    return app


@pytest.mark.parametrize("line", EXPECTED)
async def test_a_request_is_counted_under_the_template_of_its_route(
    app: FastAPI, line: str
) -> None:
    method, path = line.split()
    async with testing.client(app) as client:
        await client.request(method, path)
        metrics = (await client.get("/metrics")).text

    status, label = EXPECTED[line]
    assert SERIES.findall(metrics) == [(label, str(status))]


def test_the_route_index_knows_this_version_of_the_framework() -> None:
    assert searches_as_known(RouteIndex)
