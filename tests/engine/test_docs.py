"""Does the documentation come from here alone, and does it tell of every answer?"""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from tests.client import client_of

from app.main import create_app
from vitals.settings import load


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(load({"APP_LOG_LEVEL": "error"}))) as client:
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


async def test_each_operation_tells_who_may_call_it_and_how_it_fails(
    client: httpx.AsyncClient,
) -> None:
    description = (await client.get("/openapi.json")).json()

    operations = {
        f"{method} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }
    assert [name for name, told in operations.items() if "security" not in told] == []
    always = {"400", "408", "413", "500", "503"}
    assert [name for name, told in operations.items() if always - told["responses"].keys()] == []
    assert [name for name in operations if name.startswith("head")] == []


async def test_outside_local_there_is_no_documentation() -> None:
    settings = load({"APP_ENVIRONMENT": "test", "APP_LOG_LEVEL": "error"})
    async with client_of(create_app(settings)) as client:
        for path in ("/docs", "/openapi.json", "/redoc"):
            assert (await client.get(path)).status_code == 404


def test_every_path_that_answers_get_answers_head() -> None:
    routes = iter_route_contexts(create_app(load({})).routes)
    offered = {route.path: route.methods or set() for route in routes}

    assert [path for path, methods in offered.items() if methods == {"GET"}] == []
