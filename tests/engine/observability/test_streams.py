"""Answers in parts, what runs after an answer, and how each of them ended."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

import vitals
from tests.engine.applications import Lines, install, until
from vitals import testing
from vitals.observability.metrics import Metrics
from vitals.request_stats import current


@pytest.fixture
def go() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def app(app: FastAPI, go: asyncio.Event) -> FastAPI:
    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await go.wait()
            yield b"second"

        return StreamingResponse(chunks())

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(__file__)

    @app.get("/mail/{name}")
    async def mail(name: str, later: BackgroundTasks) -> str:
        later.add_task(send, name)
        return "queued"

    return app


def open_streams(metrics: Metrics) -> list[float]:
    return [
        value for name, _, _, _, value in metrics.series() if name == "http_server_open_streams"
    ]


async def send(name: str) -> None:
    vitals.add_call("db", 2, "UPDATE mails SET sent = true")
    if name == "nobody":
        raise LookupError


async def test_a_stream_is_open_until_its_end_and_counted_with_its_first_byte(
    client: httpx.AsyncClient, lines: Lines, metrics: Metrics, go: asyncio.Event
) -> None:
    request = asyncio.create_task(client.get("/stream"))
    await until(lambda: open_streams(metrics) == [1])
    assert not lines
    go.set()

    assert (await request).content == b"firstsecond"

    line = lines.last()
    assert (line["outcome"], line["bytes_out"]) == ("completed", 11)
    assert 0 < line["first_byte_ms"] < line["duration_ms"]
    assert open_streams(metrics) == [0]
    name = "http_server_request_duration_seconds"
    [counted] = [value for each, _, _, _, value in metrics.series() if each == name]
    assert counted * 1000 == pytest.approx(line["first_byte_ms"], abs=0.001)


async def test_an_answer_that_a_middleware_cuts_into_parts_is_no_stream(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    @app.middleware("http")
    async def passing(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    await client.get("/mail/somebody")

    assert "first_byte_ms" not in json.loads(lines[0])


async def test_a_background_task_has_its_own_line_with_the_id_of_its_request(
    client: httpx.AsyncClient, lines: Lines
) -> None:
    await client.get("/mail/somebody")

    request, task = (json.loads(line) for line in lines)
    assert (request["event"], request["db_calls"]) == ("request", 0)
    assert (task["event"], task["task"], task["db_calls"]) == ("task", "send", 1)
    assert task["request_id"] == request["request_id"]
    assert task["outcome"] == "completed"


async def test_a_background_task_that_fails_leaves_its_request_completed(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines, metrics: Metrics
) -> None:
    answer = await client.get("/mail/nobody")

    assert answer.status_code == 200
    request, task = (json.loads(line) for line in lines)
    assert (request["status"], request["outcome"]) == (200, "completed")
    assert (task["level"], task["outcome"], task["error"]) == ("error", "error", "LookupError")
    assert 'job_duration_seconds_count{job="send",outcome="error"} 1' in await metrics.text()
    [failure] = app.state.vitals.service.snapshot().failures
    assert (failure.method, failure.route) == ("task", "send")


async def test_a_task_that_outlives_its_request_adds_nothing_to_it(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    tasks = list[asyncio.Task[None]]()
    over = asyncio.Event()

    @app.get("/outlived")
    async def outlived() -> str:
        async def count() -> None:
            await over.wait()
            for _ in range(100_000):
                vitals.add_call("db", 1, "SELECT 1")
            stats = current.get()
            assert stats is not None
            assert stats.calls == []

        tasks.append(asyncio.create_task(count()))
        return "done"

    await client.get("/outlived")
    over.set()
    await tasks[0]

    assert lines.last()["db_calls"] == 0


async def test_calls_are_bounded_and_a_call_of_the_api_loses_no_line(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    @app.get("/busy")
    async def busy() -> str:
        for _ in range(10_003):
            vitals.add_call("db", 1)
        vitals.add_call("http", 3, "payments")
        return "done"

    @app.get("/wrong")
    async def wrong(kind: str, ms: float) -> None:
        vitals.add_call(kind, ms)

    await client.get("/busy")
    line = lines.last()
    assert (line["db_calls"], line["db_repeats"], line["calls_not_counted"]) == (10_000, 0, 4)

    for kind, ms in (("a kind\r\nX-Bad: 1", "1"), ("db", "nan"), ("db", "inf"), ("db", "-1")):
        assert (await client.get("/wrong", params={"kind": kind, "ms": ms})).status_code == 500
        assert (lines.last()["error"], lines.last()["db_calls"]) == ("ValueError", 0)


async def test_calls_of_other_kinds_are_counted_by_dependency(
    app: FastAPI, client: httpx.AsyncClient, metrics: Metrics
) -> None:
    @app.get("/pay")
    async def pay() -> None:
        vitals.add_call("http", 30, "payments")

    await client.get("/pay")

    name = 'dependency_call_duration_seconds_sum{kind="http",dependency="payments"} 0.03'
    assert name in await metrics.text()


@pytest.mark.parametrize(("seconds", "status"), [(None, 200), (60, 200), (0.1, 503)])
async def test_a_route_has_the_deadline_that_it_states(seconds: float | None, status: int) -> None:
    app = FastAPI()

    @app.get("/slow", dependencies=[Depends(vitals.deadline(seconds))])
    async def slow() -> str:
        await asyncio.sleep(1)  # longer than APP_REQUEST_SECONDS
        return "done"

    async with testing.client(install(app, request_seconds=0.3)) as client:
        assert (await client.get("/slow")).status_code == status


async def test_a_stream_without_a_deadline_outlasts_that_of_requests() -> None:
    app = FastAPI()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"."
            await asyncio.sleep(0.1)  # all together longer than APP_REQUEST_SECONDS

    @app.get("/ended", dependencies=[Depends(vitals.deadline(None))])
    async def ended() -> StreamingResponse:
        return StreamingResponse(chunks())

    @app.get("/cut")
    async def cut() -> StreamingResponse:
        return StreamingResponse(chunks())

    lines = Lines(install(app, request_seconds=0.3))
    async with testing.client(app) as client:
        assert (await client.get("/ended")).content == b"........"
        assert lines.last()["outcome"] == "completed"
        with pytest.raises(AssertionError):  # httpx: the answer has no end
            await client.get("/cut")

    assert (lines.last()["status"], lines.last()["outcome"]) == (503, "deadline")
