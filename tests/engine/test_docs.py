"""The pages /docs and /openapi.json: all of their files come from the service."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from tests.engine.applications import install
from vitals import testing

FRAMEWORKS_OWN = ("/docs", "/openapi.json", "/redoc", "/docs/oauth2-redirect")


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with testing.client(install(FastAPI(title="Orders"), docs=True)) as client:
        yield client


async def test_all_that_the_page_loads_is_served_here(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text

    loaded = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page)
    assert len(loaded) == 3
    for address in loaded:
        assert (await client.get(f"/{address}")).status_code == 200


async def test_no_other_file_is_served(client: httpx.AsyncClient) -> None:
    for name in ("redoc.standalone.js", "..%2f__init__.py", "%2e%2e/core.py"):
        assert (await client.get(f"/docs/{name}")).status_code == 404


async def test_the_description_is_the_applications(client: httpx.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json()["info"]["title"] == "Orders"


async def test_where_docs_are_off_there_is_no_page_of_the_frameworks_either() -> None:
    async with testing.client(install(FastAPI(), docs=False)) as client:
        for path in FRAMEWORKS_OWN:
            assert (await client.get(path)).status_code == 404


async def test_docs_at_other_paths_are_replaced_too() -> None:
    app = FastAPI(docs_url="/ui", redoc_url="/reference", openapi_url="/api.json")

    async with testing.client(install(app, docs=True)) as client:
        for path in ("/ui", "/reference", "/api.json", "/ui/oauth2-redirect"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/docs")).status_code == 200


async def test_every_path_of_the_engine_that_answers_get_answers_head() -> None:
    app = install(FastAPI(), docs=True, environment="local")
    paths = [route.path or "" for route in iter_route_contexts(app.routes)]

    async with testing.client(app) as client:
        for path in (path for path in paths if "{" not in path):
            get, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (get.status_code, b"")


async def test_a_range_of_a_file_is_never_an_error_in_another_shape() -> None:
    async with testing.client(install(FastAPI(), docs=True)) as client:
        answer = await client.get("/docs/swagger-ui.css", headers={"Range": "bytes=5-1"})

    assert answer.status_code == 200
