"""One log line for each request, however it ends."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Message, Scope

import vitals
from tests.engine.applications import Lines
from vitals import request_stats
from vitals.observability.access_log import AccessLog
from vitals.observability.metrics import Metrics

FIELDS = (
    "time level event request_id trace_id method route status duration_ms "
    "db_calls db_ms db_repeats cache bytes_out error client subject outcome"
)


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    @app.get("/spend/{calls}")
    async def spend(calls: int, later: BackgroundTasks) -> str:
        async def one(number: int) -> None:
            await asyncio.sleep(0)  # the calls take turns
            await asyncio.to_thread(request_stats.add_call, "db", 1, f"SELECT {number % 2}")

        await asyncio.gather(*(one(number) for number in range(calls)))
        later.add_task(request_stats.add_call, "db", 1, "AFTERWARDS")
        return "done"

    @app.get("/fail")
    async def fail() -> None:
        raise ValueError("hunter2")

    @app.get("/break-off")
    async def break_off() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError("hunter2")

        return StreamingResponse(chunks())

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    @app.get("/cancelled")
    async def cancelled() -> None:
        raise asyncio.CancelledError

    return app


async def test_a_line_has_the_fields_of_the_contract(
    client: httpx.AsyncClient, lines: Lines
) -> None:
    answer = await client.get("/spend/0?password=hunter2", headers={"Authorization": "hunter2"})

    line = json.loads(lines[0])
    assert list(line) == FIELDS.split()
    assert line["event"] == "request"
    assert line["bytes_out"] == len(answer.content)
    assert "hunter2" not in "".join(lines)


async def test_no_call_is_counted_for_another_request(
    client: httpx.AsyncClient, lines: Lines
) -> None:
    await asyncio.gather(*(client.get(f"/spend/{calls % 12}") for calls in range(120)))

    found = [json.loads(line) for line in lines]
    counted = sorted(line["db_calls"] for line in found if line["event"] == "request")
    assert counted == sorted(calls % 12 for calls in range(120))
    assert [line["db_calls"] for line in found if line["event"] == "task"] == [1] * 120


async def test_a_statement_that_runs_ten_times_in_one_request_is_logged_as_a_warning(
    client: httpx.AsyncClient, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    await client.get("/spend/18")
    assert caplog.records == []

    await client.get("/spend/20")

    assert json.loads(lines[-2])["db_repeats"] == 10
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_the_callers_request_id_is_kept_and_an_invalid_one_is_replaced(
    client: httpx.AsyncClient,
) -> None:
    given = await client.get("/spend/0", headers={"X-Request-ID": "from-the-caller.1"})
    forged = await client.get("/spend/0", headers={"X-Request-ID": 'x" y=1 long enough'})

    assert given.headers["x-request-id"] == "from-the-caller.1"
    assert re.fullmatch("[0-9a-f]{32}", forged.headers["x-request-id"])


async def test_server_timing_shows_the_calls_before_the_answer(client: httpx.AsyncClient) -> None:
    answer = await client.get("/spend/3")

    assert re.fullmatch(
        r'app;dur=\d+\.\d, db;dur=3\.0;desc="3 calls"', answer.headers["server-timing"]
    )


async def test_a_call_of_another_service_is_on_the_line_and_in_server_timing(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    @app.get("/ask")
    async def ask() -> None:
        request_stats.add_call("http", 7.5)

    answer = await client.get("/ask")

    assert (lines.last()["http_calls"], lines.last()["http_ms"]) == (1, 7.5)
    assert answer.headers["server-timing"].endswith(', http;dur=7.5;desc="1 calls"')


async def test_an_own_field_joins_the_line_and_replaces_none_of_the_engine(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    @app.get("/own")
    async def own() -> None:
        request_stats.add_field("tenant", "t" * 300)
        request_stats.add_field("status", 999)
        request_stats.add_field("wrong", {(1, 2): 3})  # type: ignore[arg-type]
        for number in range(20):
            request_stats.add_field(f"field_{number}", number)

    await client.get("/own")

    line = lines.last()
    assert line["tenant"] == "t" * 200
    assert line["status"] == 200
    assert line["wrong"] == "{(1, 2): 3}"
    assert "field_6" in line
    assert "field_7" not in line


async def test_a_number_that_json_lacks_takes_no_line_away(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    @app.get("/own")
    async def own() -> None:
        request_stats.add_field("ratio", float("nan"))
        request_stats.add_call("http", float("inf"), "shop")

    await client.get("/own")

    assert (lines.last()["ratio"], lines.last()["http_ms"]) == ("nan", "inf")


async def test_an_unhandled_error_is_one_500_and_one_log_entry_without_its_message(
    client: httpx.AsyncClient, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/fail")

    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"] != ""
    assert (lines.last()["status"], lines.last()["error"]) == (500, "ValueError")
    assert [record.message for record in caplog.records] == ["unhandled error"]
    assert "hunter2" not in answer.text + lines[-1]


async def test_an_answer_that_an_error_cuts_short_counts_as_an_error(
    app: FastAPI, lines: Lines
) -> None:
    sent = await _send_request(app, _scope("GET", "/break-off"))

    assert lines.last()["status"] == 500
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_a_client_that_leaves_while_it_sends_is_no_server_error(
    app: FastAPI, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    await _send_request(app, _scope("POST", "/body"), {"type": "http.disconnect"})

    assert (lines.last()["status"], lines.last()["level"]) == (499, "info")
    assert caplog.records == []


async def test_a_cancelled_request_is_499_and_stays_cancelled(app: FastAPI, lines: Lines) -> None:
    with pytest.raises(asyncio.CancelledError):
        await _send_request(app, _scope("GET", "/cancelled"))

    assert lines.last()["status"] == 499


async def test_a_line_of_text_has_the_same_fields_without_the_empty_ones() -> None:
    lines = list[str]()
    access_log = AccessLog(Metrics({}, list, []), "text", "info", write=lines.append)
    request = request_stats.RequestStats("0123456789")
    request.add("http", 7.5, "")

    access_log.write(request, "", "GET", "/ask", 200, 0.0125)

    assert lines[0].endswith(
        "Z info    request request_id=0123456789 method=GET route=/ask status=200 duration_ms=12.5"
        " db_calls=0 db_ms=0.0 db_repeats=0 cache=none bytes_out=0 outcome=completed"
        " http_calls=1 http_ms=7.5\n"
    )


async def test_probes_are_logged_only_when_they_fail(
    client: httpx.AsyncClient, lines: Lines
) -> None:
    await client.get("/livez")
    assert lines == []

    await client.get("/readyz")  # it is starting still

    assert lines.last()["status"] == 503


async def test_head_is_answered_by_the_get_route_without_a_body_and_logged_as_head(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    seen = []

    @app.get("/length", status_code=203)
    async def length(request: Request) -> Response:
        seen.append(request.method)
        return Response(b"12345", 203, {"X-Own": "yes"})

    get, head = await client.get("/length"), await client.head("/length")

    assert seen == ["GET", "GET"]
    assert (head.status_code, head.content) == (203, b"")
    own = {"x-request-id", "server-timing"}  # differ from one request to the next
    assert {n: v for n, v in head.headers.items() if n not in own} == {
        n: v for n, v in get.headers.items() if n not in own
    }
    line = lines.last()
    assert (line["method"], line["route"], line["status"]) == ("HEAD", "/length", 203)
    assert line["bytes_out"] == 0


async def test_the_server_still_sees_head_so_that_it_sends_no_body(app: FastAPI) -> None:
    app.get("/plain")(lambda: "text")
    scope = _scope("HEAD", "/plain")

    await _send_request(app, scope)

    assert scope["method"] == "HEAD"


async def test_a_route_of_its_own_for_head_is_answered_for_head_only_without_settings() -> None:
    app, seen = FastAPI(), list[str]()
    app.head("/own")(lambda: seen.append("HEAD"))
    app.get("/own")(lambda: seen.append("GET"))
    vitals.install(app, environment="local")

    await _send_request(app, _scope("HEAD", "/own"))

    assert seen == ["HEAD"]


async def test_code_below_a_route_can_read_its_request_id_and_route(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    known = []

    @app.get("/known/{name}")
    async def know(name: str) -> str:
        running = request_stats.current.get()
        assert running is not None
        known.append((request_stats.request_id(), running.route()))
        return name

    answer = await client.get("/known/coffee")

    assert known == [(answer.headers["x-request-id"], "/known/{name}")]
    assert request_stats.request_id() == ""


def _scope(method: str, path: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"spec_version": "2.3"},
        "root_path": "",
        "method": method,
        "path": path,
        "headers": [(b"host", b"test")],
        "query_string": b"",
    }


async def _send_request(
    app: FastAPI, scope: Scope, received: Message | None = None
) -> list[Message]:
    """Send a request as a server does, and return the messages of the answer."""
    sent: list[Message] = []
    inbox = [received or {"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if inbox:
            return inbox.pop()
        await asyncio.Event().wait()  # a client that only listens
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
