"""The engine is outside of everything that an application has or adds later, and keeps it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

import vitals
from tests.engine.applications import Lines, install
from vitals import testing
from vitals.security import headers

CallNext = Callable[[Request], Awaitable[Any]]


class Refusing:
    """A middleware that answers everything itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await PlainTextResponse("closed", 418)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Failing(Refusing):
    """A middleware that fails."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raise RuntimeError("hunter2")
        await self.app(scope, receive, send)


def add_by_class(app: FastAPI) -> None:
    app.add_middleware(Refusing)


def add_by_decorator(app: FastAPI) -> None:
    @app.middleware("http")
    async def refuse(_: Request, __: CallNext) -> PlainTextResponse:
        return PlainTextResponse("closed", 418)


async def get(app: FastAPI, path: str = "/") -> httpx.Response:
    async with testing.client(app) as client:
        return await client.get(path)


async def test_the_errors_of_an_application_that_is_mounted_at_the_start_are_problems() -> None:
    inner = FastAPI(openapi_url=None)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.mount("/inner", inner)
        yield

    answer = await get(install(FastAPI(lifespan=lifespan)), "/inner/nowhere")

    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


@pytest.mark.parametrize("add", [add_by_class, add_by_decorator])
@pytest.mark.parametrize("after", [False, True], ids=["before install", "after install"])
async def test_the_answer_of_any_middleware_has_an_id_a_line_a_metric_and_headers(
    add: Callable[[FastAPI], None], after: bool
) -> None:
    app = FastAPI()
    if not after:
        add(app)
    install(app)
    if after:
        add(app)
    lines = Lines(app)

    answer = await get(app)

    assert (answer.status_code, answer.text) == (418, "closed")
    line = lines.last()
    assert (line["status"], line["bytes_out"]) == (418, 6)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert answer.headers.items() >= {n.lower(): v for n, v in headers.FIXED.items()}.items()
    text = await app.state.vitals._metrics.text()
    assert 'http_response_status_code="418"} 1\n' in text


async def test_an_error_in_a_middleware_is_one_500_in_the_one_shape() -> None:
    app = install(FastAPI())
    app.add_middleware(Failing)
    lines = Lines(app)

    answer = await get(app)

    assert (answer.status_code, answer.json()["title"]) == (500, "Internal Server Error")
    assert "hunter2" not in answer.text
    assert (lines.last()["status"], lines.last()["error"]) == (500, "RuntimeError")


class Mine(Exception):
    """An exception of the application's own."""


def failing() -> FastAPI:
    app = FastAPI()

    @app.get("/http")
    async def http() -> None:
        raise HTTPException(409, "closed")

    @app.get("/validation/{number}")
    async def validation(number: int) -> int:
        return number

    @app.get("/mine")
    async def mine() -> None:
        raise Mine

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError

    return app


async def handle(_: HTTPConnection, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(f"own {type(error).__name__}", 418)


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        (HTTPException, "/http", "HTTPException"),
        (RequestValidationError, "/validation/x", "RequestValidationError"),
        (Mine, "/mine", "Mine"),
        (Exception, "/defect", "RuntimeError"),
        (500, "/defect", "RuntimeError"),
        (409, "/http", "HTTPException"),
    ],
    ids=str,
)
@pytest.mark.parametrize("after", [False, True], ids=["before install", "after install"])
async def test_a_handler_of_the_applications_own_wins(
    kind: Any, path: str, name: str, after: bool
) -> None:
    app = failing()
    if not after:
        app.add_exception_handler(kind, handle)
    install(app)
    if after:
        app.add_exception_handler(kind, handle)
    lines = Lines(app)

    answer = await get(app, path)

    assert (answer.status_code, answer.text) == (418, f"own {name}")
    assert lines.last()["status"] == 418


async def test_a_handler_for_one_error_leaves_the_others_in_the_one_shape() -> None:
    app = install(failing())
    app.add_exception_handler(Mine, handle)

    for path, status in {"/http": 409, "/validation/x": 422, "/defect": 500, "/no": 404}.items():
        answer = await get(app, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_handled_exception_is_no_unhandled_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = install(failing())
    app.add_exception_handler(Mine, handle)

    await get(app, "/mine")

    assert "unhandled error" not in caplog.messages


def test_the_type_of_the_application_keeps_its_name_and_its_bases() -> None:
    class Own(FastAPI):
        """A class of the application's own."""

    app = install(Own())

    assert isinstance(app, Own)
    assert type(app).__name__ == "Own"
    assert (type(app).__qualname__, type(app).__module__) == (Own.__qualname__, Own.__module__)


async def test_a_stack_that_is_built_already_is_wrapped_too() -> None:
    app = FastAPI()
    app.middleware_stack = app.build_middleware_stack()
    install(app)
    lines = Lines(app)

    answer = await get(app, "/nowhere")

    assert answer.headers["x-request-id"] == lines.last()["request_id"]


async def test_a_replaced_build_middleware_stack_stays_inside() -> None:
    """OpenTelemetry's instrumentation replaces the method of one application, before or after."""
    app = install(FastAPI())
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Refusing(build())  # type: ignore[method-assign]
    lines = Lines(app)

    answer = await get(app)

    assert answer.status_code == lines.last()["status"] == 418
    assert answer.headers["x-request-id"]


async def test_a_mounted_application_with_its_own_engine_counts_a_request_once() -> None:
    outer, inner = install(FastAPI()), install(FastAPI())
    inner.get("/a")(lambda: "inner")
    outer.mount("/sub", inner)
    outer_lines, inner_lines = Lines(outer), Lines(inner)

    answer = await get(outer, "/sub/a")

    assert answer.json() == "inner"
    assert [len(outer_lines), len(inner_lines)] == [1, 0]
    assert answer.headers.get_list("x-request-id") == [outer_lines.last()["request_id"]]


async def test_dependencies_are_closed_before_the_server_takes_the_stop_for_done() -> None:
    """A server cancels what is still open after `lifespan.shutdown.complete`."""
    seen: list[str] = []

    class Slow:
        name = "slow"

        async def open(self) -> None: ...

        async def close(self) -> None:
            await asyncio.sleep(0)  # a cancellation would arrive here
            seen.append("closed")

        def checks(self) -> list[vitals.Check]:
            return []

        def gauges(self) -> dict[str, float]:
            return {}

    app = FastAPI()
    vitals.install(app, environment="local", dependencies=[Slow()])
    messages = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        seen.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    assert seen == ["lifespan.startup.complete", "closed", "lifespan.shutdown.complete"]
