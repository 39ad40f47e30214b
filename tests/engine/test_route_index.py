"""The route index finds what the framework's own search finds, and marks it the same way."""

import random
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

import vitals
from tests.engine.route_tables import differences
from vitals import framework, testing
from vitals.route_index import RouteIndex


async def test_the_index_and_the_search_agree_on_random_tables() -> None:
    assert await differences(random.randrange(10**9), tables=60, requests=40) == 2_400


@pytest.mark.slow
async def test_the_index_and_the_search_agree_100_000_times() -> None:
    assert await differences(random.randrange(10**9), tables=2_000, requests=55) == 110_000


async def test_an_application_is_searched_by_the_index_unless_it_is_switched_off() -> None:
    with_index, without = FastAPI(), FastAPI()
    vitals.install(with_index)
    vitals.install(without, index=False)

    assert isinstance(with_index.router.middleware_stack, RouteIndex)
    assert without.router.middleware_stack == without.router.app


async def test_a_router_that_searches_in_its_own_way_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Own(APIRouter):
        async def app(self, scope: Any, receive: Any, send: Any) -> None:
            await super().app(scope, receive, send)

    app = FastAPI()
    app.router.__class__ = Own

    vitals.install(app)

    assert not isinstance(app.router.middleware_stack, RouteIndex)
    assert "no route index" in caplog.text


async def test_a_framework_that_marks_a_route_in_another_way_switches_the_index_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    marked = framework.mark

    def other_mark(scope: Any, *rest: Any) -> Any:
        app = marked(scope, *rest)
        scope["path_params"] = {**scope["path_params"], "new": 1}
        return app

    monkeypatch.setattr(framework, "mark", other_mark)
    app = FastAPI()

    vitals.install(app)

    assert not isinstance(app.router.middleware_stack, RouteIndex)
    assert "no route index" in caplog.text


async def test_a_route_that_is_added_to_an_included_router_later_is_found() -> None:
    async def late() -> None: ...

    app, inner = FastAPI(), APIRouter()
    vitals.install(app)
    app.include_router(inner, prefix="/inner")

    async with testing.client(app) as client:
        before = await client.get("/inner/late")
        inner.get("/late")(late)
        after = await client.get("/inner/late")

    assert (before.status_code, after.status_code) == (404, 200)
