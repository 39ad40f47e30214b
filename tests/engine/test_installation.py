"""`vitals.install`: what it adds, and what it leaves as it is."""

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException

import vitals
from tests.engine.applications import Lines, install, settings
from vitals import Check, CheckFailed, Problem, testing

TOKEN = "correct-horse-battery"
OPERATOR = {"authorization": f"Bearer {TOKEN}"}


def application() -> FastAPI:
    app = FastAPI(title="Orders API", version="v3")

    @app.get("/a/{number}")
    async def read(number: int) -> int:
        return number

    @app.get("/closed")
    async def closed() -> None:
        raise HTTPException(409, {"left": 0})

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("hunter2")

    return app


@pytest.fixture
async def before() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application as it is."""
    async with testing.client(application()) as client:
        yield client


@pytest.fixture
async def after() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same application with the engine, without settings."""
    app = application()
    vitals.install(app)
    async with testing.client(app) as client:
        yield client


SAME = [
    ("GET", "/a/1", 200),
    ("HEAD", "/a/1", 405),
    ("POST", "/a/1", 405),
    ("GET", "/a/x", 422),
    ("GET", "/closed", 409),
    ("GET", "/nowhere", 404),
    ("GET", "/defect", 500),
    ("GET", "/docs", 200),
    ("GET", "/redoc", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), SAME)
async def test_without_settings_every_answer_stays_as_it_is(
    before: httpx.AsyncClient, after: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    expected, answer = await before.request(method, path), await after.request(method, path)

    assert (answer.status_code, answer.content) == (status, expected.content)
    own = {"x-request-id": answer.headers["x-request-id"]}
    assert dict(answer.headers) == dict(expected.headers) | own


async def test_without_settings_the_description_has_the_health_paths_and_no_other_change(
    before: httpx.AsyncClient, after: httpx.AsyncClient
) -> None:
    expected, described = [(await c.get("/openapi.json")).json() for c in (before, after)]

    added = {path: described["paths"].pop(path) for path in ("/livez", "/readyz", "/health")}
    assert added
    assert described == expected


async def test_without_settings_an_unhandled_error_is_logged_counted_and_raised_again() -> None:
    app = application()
    vitals.install(app)
    lines = Lines(app)
    transport = httpx.ASGITransport(app)

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(RuntimeError, match="hunter2"):
            await client.get("/defect")

    assert (lines.last()["status"], lines.last()["error"]) == (500, "RuntimeError")
    assert "hunter2" not in lines[-1]


async def test_with_settings_an_unhandled_error_ends_in_its_answer() -> None:
    transport = httpx.ASGITransport(install(application()))

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/defect")).status_code == 500


@pytest.mark.parametrize("path", ["/readyz?exclude=nothing", "/metrics", "/status"])
async def test_without_settings_the_engines_own_refusals_are_problems(
    after: httpx.AsyncClient, path: str
) -> None:
    answer = await after.get(path)

    assert answer.status_code in (400, 401)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_settings_operators_need_the_token_that_is_given() -> None:
    app = FastAPI()
    vitals.install(app, token=TOKEN)

    async with testing.client(app) as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=OPERATOR)).status_code == 200


async def test_without_settings_anyone_is_an_operator_where_it_is_said_to_be_local() -> None:
    app = FastAPI()
    vitals.install(app, environment="local")

    async with testing.client(app) as client:
        assert (await client.get("/metrics")).status_code == 200


async def test_without_settings_name_and_version_are_those_of_the_application(
    after: httpx.AsyncClient,
) -> None:
    health = (await after.get("/health")).json()

    assert (health["serviceId"], health["version"]) == ("Orders API", "v3")


async def test_without_settings_no_variable_of_the_environment_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APP_ENVIRONMENT", "local")
    monkeypatch.setenv("APP_NONSENSE", "1")
    app = FastAPI()
    vitals.install(app)

    async with testing.client(app) as client:
        assert (await client.get("/metrics")).status_code == 401


async def test_each_of_the_four_can_be_asked_for_without_settings() -> None:
    app = application()
    vitals.install(app, problems=True, security=True, reraise=False)

    async with testing.client(app) as client:
        answer = await client.get("/defect")
        missing = await client.get("/nowhere")

    assert answer.json()["title"] == "Internal Server Error"
    assert missing.json()["title"] == "Not Found"
    assert missing.headers["x-frame-options"] == "DENY"


async def test_each_of_the_four_can_be_switched_off_with_settings() -> None:
    app = application()
    options = {"problems": False, "guard": False, "security": False}
    vitals.install(app, settings(environment="production"), **options)

    async with testing.client(app) as client:
        missing = await client.get("/nowhere")
        docs = await client.get("/docs")

    assert missing.json() == {"detail": "Not Found"}
    assert "x-frame-options" not in missing.headers
    assert docs.status_code == 200


async def test_a_prefix_moves_all_of_the_engines_own_paths() -> None:
    app = install(FastAPI(), {"prefix": "/internal"}, environment="local")
    lines = Lines(app)

    async with testing.client(app) as client:
        for path in ("/livez", "/readyz", "/health", "/metrics", "/status", "/status.json"):
            assert (await client.get(f"/internal{path}")).status_code == 200
            assert (await client.get(path)).status_code == 404

    assert {json.loads(line)["status"] for line in lines} == {404}  # no line for what is polled


async def test_a_route_of_the_application_stays_and_the_engines_of_that_path_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FastAPI()
    app.get("/status")(lambda: "mine")
    app.get("/{path:path}")(lambda path: path)  # a catch-all is no conflict

    with caplog.at_level(logging.WARNING, "vitals.outermost"):
        install(app, environment="local")

    assert "/status is a path of the application" in caplog.text
    async with testing.client(app) as client:
        assert (await client.get("/status")).json() == "mine"
        assert (await client.get("/anything")).json() == "anything"
        assert (await client.get("/livez")).json() == {"status": "pass"}
        assert (await client.get("/status.json")).json()["about"]


async def test_further_checks_run_and_may_be_required() -> None:
    async def probe() -> None:
        raise CheckFailed("the queue is full")

    app = install(FastAPI(), {"checks": [Check("queue", probe)], "required": ["queue"]})

    async with testing.client(app) as client:
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["failing"]) == (503, ["queue"])


def test_a_required_check_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"databse.*event_loop"):
        install(FastAPI(), {"required": ["databse"]})


async def test_a_second_call_changes_nothing_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = install(application())
    engine, routes = app.state.vitals, len(app.routes)

    with caplog.at_level(logging.WARNING, "vitals.installation"):
        vitals.install(app, environment="local")

    assert (app.state.vitals, len(app.routes)) == (engine, routes)
    assert "installed on 'Orders API' already" in caplog.text
    lines = Lines(app)
    async with testing.client(app) as client:
        answer = await client.get("/a/1")
    assert len(lines) == 1
    assert len(answer.headers.get_list("x-request-id")) == 1


async def test_the_status_page_has_the_title_settings_and_sections_of_the_application() -> None:
    sections = {"Queue": lambda: {"waiting": 3}}
    app = install(application(), {"sections": sections, "name": "orders-api"}, ops_token=TOKEN)

    async with testing.client(app) as client:
        data = (await client.get("/status.json", headers=OPERATOR)).json()

    assert data["about"]["name"] == "Orders API"
    assert data["settings"]["APP_ENVIRONMENT"] == "test"
    assert set(data["settings"]["APP_OPS_TOKEN"]) == {"*"}
    assert data["sections"] == {"Queue": {"waiting": "3"}}
    assert TOKEN not in json.dumps(data)


async def test_without_settings_the_status_page_shows_no_settings() -> None:
    app = FastAPI()
    vitals.install(app, token=TOKEN)

    async with testing.client(app) as client:
        data = (await client.get("/status.json", headers=OPERATOR)).json()

    assert data["settings"] == {}


async def test_operators_paths_of_a_dependency_are_guarded() -> None:
    class Queue:
        name = "queue"

        async def open(self) -> None: ...
        async def close(self) -> None: ...
        def checks(self) -> list[Check]:
            return []

        def gauges(self) -> dict[str, float]:
            return {"queue_length": 3}

        def operators_router(self) -> Any:
            from fastapi import APIRouter

            routes = APIRouter()
            routes.delete("/queue")(lambda: "cleared")
            return routes

    app = install(FastAPI(), {"dependencies": [Queue()]}, ops_token=TOKEN)

    async with testing.client(app) as client:
        assert (await client.delete("/queue")).status_code == 401
        assert (await client.delete("/queue", headers=OPERATOR)).json() == "cleared"
        metrics = (await client.get("/metrics", headers=OPERATOR)).text
    assert "\nqueue_length 3\n" in metrics


def test_no_driver_is_imported_for_an_application_without_one() -> None:
    code = (
        "import sys, vitals; from fastapi import FastAPI;"
        "app = FastAPI(); vitals.install(app, vitals.Settings(environment='test'));"
        "vitals.install(FastAPI());"
        "drivers = {'vitals.database', 'vitals.cache', 'sqlalchemy', 'alembic', 'asyncpg',"
        " 'aiosqlite', 'redis', 'jwt'};"
        "print(*sorted(drivers & sys.modules.keys()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "\n"


async def test_a_problem_is_answered_without_settings_where_it_was_raised_by_a_route() -> None:
    app = FastAPI()

    @app.get("/a")
    async def read() -> None:
        raise Problem(409, "closed")

    vitals.install(app)

    async with testing.client(app) as client:
        assert (await client.get("/a")).json()["detail"] == "closed"
