"""The label of a request is the template of the route that answered it."""

from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from tests.engine.applications import Lines

LABELS = {
    "GET /plain/1": "/plain/{number}",
    "GET /plain/x": "/plain/{number}",  # 422
    "POST /plain/1": "/plain/{number}",  # 405
    "HEAD /head": "/head",
    "HEAD /plain/1": "/plain/{number}",  # answered by the route for GET
    "GET /api/outer/b/1": "/api/outer/b/{number}",
    "GET /again/outer/b/1": "/again/outer/b/{number}",
    "POST /again/outer/b/1": "/again/outer/b/{number}",
    "GET /api/outer/mid/inner/1": "/api/outer/mid/inner/{number}",
    "GET /plain/1/": "__unmatched__",  # a redirect to the path without the slash
    "GET /nope": "__unmatched__",
    "GET /mounted/s/1": "/mounted/s/{number}",
    "GET /mounted/v1/t/1": "/mounted/v1/t/{number}",
    "GET /mounted/nope": "__mounted__",
    "GET /of/acme/s/1": "/of/{tenant}/s/{number}",
    "GET /of/ac/me/s/1": "__mounted__",
    "GET /static/nope": "__mounted__",
    "GET /bare/1": "/bare/{number}",  # a route of Starlette
    "GET /of/acme/bare/1": "/of/{tenant}/bare/{number}",
    "GET /deep/acme/in/7/s/1": "/deep/{tenant}/in/{room}/s/{number}",
}


async def number_(number: int = 0) -> int:
    return number


@pytest.fixture
def app(app: FastAPI, tmp_path: Path) -> FastAPI:
    """The application with a route of every shape."""
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")
    inner.get("/{number}")(number_)
    outer.get("/b/{number}")(number_)
    outer.include_router(inner, prefix="/mid")
    mounted, versioned = FastAPI(), APIRouter(prefix="/v1")
    mounted.get("/s/{number}")(number_)
    versioned.get("/t/{number}")(number_)
    mounted.include_router(versioned)
    app.get("/plain/{number}")(number_)
    app.api_route("/head", methods=["GET", "HEAD"])(number_)
    app.include_router(outer, prefix="/api")
    app.include_router(outer, prefix="/again")
    app.mount("/mounted", mounted)
    app.router.routes.append(Mount("/of/{tenant}", app=mounted))
    deep = Starlette(routes=[Mount("/in/{room}", mounted)])
    app.mount("/deep/{tenant}", deep)
    for each in (app, mounted):
        each.add_route("/bare/{number}", lambda _: Response())
    app.mount("/static", StaticFiles(directory=tmp_path))
    return app


@pytest.mark.parametrize("request_line", LABELS)
async def test_a_request_is_labelled_with_the_template_of_its_route(
    request_line: str, client: httpx.AsyncClient, lines: Lines
) -> None:
    method, path = request_line.split()

    await client.request(method, path)

    assert lines.last()["route"] == LABELS[request_line]
