"""Is there one true line for each request, whatever becomes of it?"""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Message, Scope

from tests.unit.observability.conftest import Lines, told
from vitals import request_stats
from vitals.observability.access_log import Recorder
from vitals.observability.metrics import Metrics

FIELDS = (
    "time level event request_id trace_id method route status duration_ms "
    "db_calls db_ms db_repeats cache bytes_out error"
)


@pytest.fixture
def service(service: FastAPI) -> FastAPI:
    @service.get("/spend/{calls}")
    async def spend(calls: int, later: BackgroundTasks) -> str:
        async def one(number: int) -> None:
            await asyncio.sleep(0)
            await asyncio.to_thread(request_stats.add, "db", 1, f"SELECT {number % 2}")

        await asyncio.gather(*(one(number) for number in range(calls)))
        later.add_task(request_stats.add, "db", 1, "AFTERWARDS")
        return "done"

    @service.get("/fail")
    async def fail() -> None:
        raise ValueError("hunter2")

    @service.get("/break-off")
    async def break_off() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError("hunter2")

        return StreamingResponse(chunks())

    @service.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    @service.get("/cancelled")
    async def cancelled() -> None:
        raise asyncio.CancelledError

    return service


async def test_a_line_has_the_fields_of_the_contract(
    client: httpx.AsyncClient, lines: Lines
) -> None:
    answer = await client.get("/spend/0?password=hunter2", headers={"Authorization": "hunter2"})

    line = told(lines)
    assert list(line) == FIELDS.split()
    assert line["event"] == "request"
    assert line["bytes_out"] == len(answer.content)
    assert "hunter2" not in lines[-1]


async def test_no_call_is_counted_for_another_request(
    client: httpx.AsyncClient, lines: Lines
) -> None:
    await asyncio.gather(*(client.get(f"/spend/{calls % 12}") for calls in range(120)))

    counted = sorted(line["db_calls"] for line in map(told, ([line] for line in lines)))
    assert counted == sorted(calls % 12 + 1 for calls in range(120))


async def test_a_statement_that_runs_ten_times_is_warned_of(
    client: httpx.AsyncClient, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    await client.get("/spend/18")
    assert caplog.records == []

    await client.get("/spend/20")

    assert told(lines)["db_repeats"] == 10
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_the_callers_request_id_is_kept_if_it_is_one(client: httpx.AsyncClient) -> None:
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
    service: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    @service.get("/ask")
    async def ask() -> None:
        request_stats.add("http", 7.5)

    answer = await client.get("/ask")

    assert (told(lines)["http_calls"], told(lines)["http_ms"]) == (1, 7.5)
    assert answer.headers["server-timing"].endswith(', http;dur=7.5;desc="1 calls"')


async def test_an_unhandled_error_is_one_500_and_one_account_without_its_text(
    client: httpx.AsyncClient, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/fail")

    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"] != ""
    assert (told(lines)["status"], told(lines)["error"]) == (500, "ValueError")
    assert [record.message for record in caplog.records] == ["unhandled error"]
    assert "hunter2" not in answer.text + lines[-1]


async def test_an_answer_that_breaks_off_counts_as_an_error(service: FastAPI, lines: Lines) -> None:
    sent = await _ask(service, "GET", "/break-off")

    assert told(lines)["status"] == 500
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_a_client_that_leaves_while_it_sends_is_no_error_of_ours(
    service: FastAPI, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    await _ask(service, "POST", "/body", {"type": "http.disconnect"})

    assert (told(lines)["status"], told(lines)["level"]) == (499, "info")
    assert caplog.records == []


async def test_a_cancelled_request_is_499_and_stays_cancelled(
    service: FastAPI, lines: Lines
) -> None:
    with pytest.raises(asyncio.CancelledError):
        await _ask(service, "GET", "/cancelled")

    assert told(lines)["status"] == 499


async def test_a_line_to_be_read_tells_the_same_without_what_is_empty() -> None:
    lines = Lines()
    recorder = Recorder(Metrics({}, list, []), "text", "info", write=lines.append)
    asked = request_stats.Tally("0123456789")
    asked.add("http", 7.5, "")

    recorder.record(asked, "", "GET", "/ask", 200, 0.0125)

    assert lines[0].endswith(
        "Z info    request request_id=0123456789 method=GET route=/ask status=200 duration_ms=12.5"
        " db_calls=0 db_ms=0.0 db_repeats=0 cache=none bytes_out=0 http_calls=1 http_ms=7.5\n"
    )


async def test_probes_are_logged_only_when_they_fail(
    service: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    status = 200

    @service.get("/readyz")
    async def readyz() -> Response:
        return Response(status_code=status)

    await client.get("/readyz")
    assert lines == []

    status = 503
    await client.get("/readyz")

    assert told(lines)["status"] == 503


async def test_other_lines_of_a_request_know_their_request(
    service: FastAPI, client: httpx.AsyncClient
) -> None:
    known = []

    @service.get("/known/{name}")
    async def know(name: str) -> str:
        running = request_stats.current.get()
        assert running is not None
        known.append((request_stats.request_id(), running.route()))
        return name

    answer = await client.get("/known/coffee")

    assert known == [(answer.headers["x-request-id"], "/known/{name}")]
    assert request_stats.request_id() == ""


async def _ask(
    service: FastAPI, method: str, path: str, received: Message | None = None
) -> list[Message]:
    """Ask as a server does, and hand back what was sent."""
    sent: list[Message] = []
    inbox = [received or {"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if inbox:
            return inbox.pop()
        await asyncio.Event().wait()  # a client that only listens
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"spec_version": "2.3"},
        "root_path": "",
        "method": method,
        "path": path,
        "headers": [],
        "query_string": b"",
    }
    await service(scope, receive, send)
    return sent
