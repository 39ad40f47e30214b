"""Is what is too large, too slow or too much refused, and do others not notice?"""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Message, Receive, Scope, Send
from tests.client import client_of, serving, until

from vitals import problems
from vitals.security.body_limit import BodyLimit
from vitals.security.request_timeout import Deadlines

MAX_BYTES = 1_000


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.add_middleware(BodyLimit, max_bytes=MAX_BYTES)

    @service.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @service.post("/parsed")
    async def parsed(body: list[int]) -> int:
        return len(body)

    async with client_of(service) as client:
        yield client


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 100):
        yield b"1" * 100


async def test_a_body_of_just_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    assert (await client.post("/length", content=b"1" * MAX_BYTES)).json() == MAX_BYTES
    assert (await client.post("/length", content=chunks(MAX_BYTES))).json() == MAX_BYTES


@pytest.mark.parametrize("path", ["/length", "/parsed", "/nowhere"])
async def test_a_larger_declared_body_is_413_and_closes(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path, content=b"1" * (MAX_BYTES + 1))

    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert answer.json()["detail"] == "the body is too large; expected at most 1000 bytes"
    assert answer.json()["retry_safe"] is False


@pytest.mark.parametrize("path", ["/length", "/parsed"])
async def test_a_larger_chunked_body_has_the_same_answer(
    client: httpx.AsyncClient, path: str
) -> None:
    declared = await client.post(path, content=b"1" * (MAX_BYTES + 1))
    chunked = await client.post(path, content=chunks(MAX_BYTES + 100))

    assert chunked.status_code == 413
    assert chunked.json() == declared.json()
    assert chunked.headers["connection"] == "close"


@pytest.mark.parametrize("coding", ["identity", "gzip, chunked", "xchunked", "chunked, chunked"])
async def test_a_coding_that_two_readers_could_read_differently_is_400_and_closes(
    client: httpx.AsyncClient, coding: str
) -> None:
    answer = await client.post("/length", headers={"transfer-encoding": coding})

    assert answer.status_code == 400
    assert answer.headers["connection"] == "close"


async def test_uploads_have_a_limit_of_their_own() -> None:
    service = FastAPI()
    problems.install(service)
    options = {"max_bytes": 10, "max_upload_bytes": 100, "uploads": ("/file",)}
    service.add_middleware(BodyLimit, **options)

    @service.put("/{name}/file")
    async def keep(name: str, request: Request) -> int:
        return len(name + (await request.body()).decode())

    async with client_of(service) as client:
        assert (await client.put("/a/file", content=b"1" * 100)).status_code == 200
        assert (await client.put("/a/file", content=b"1" * 101)).status_code == 413
        assert (await client.post("/a/file", content=b"1" * 11)).status_code == 413
        assert (await client.put("/a/other", content=b"1" * 11)).status_code == 413


GET = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "head",
    [
        GET + b"".join(b"x-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        GET + b"x: " + b"y" * 5_000,
        b"GET /" + b"y" * 5_000,
    ],
    ids=["many headers", "one without end", "a path without end"],
)
async def test_headers_above_the_limit_are_431_and_close(head: bytes) -> None:
    async with serving(max_header_bytes=1_024) as served:
        client = await served.connect()
        await client.send(head)

        assert (await client.rest()).startswith("HTTP/1.1 431 ")


async def test_a_body_in_the_same_packet_does_not_count_as_headers() -> None:
    async with serving(max_header_bytes=1_024) as served:
        client = await served.connect()
        body = b"[" + b"1," * 2_000 + b"1]"
        await client.send(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert (await client.answer()).endswith("2001")

        assert (await client.get("/livez")).startswith("http/1.1 200")


async def test_requests_in_one_packet_are_counted_apart() -> None:
    async with serving(max_header_bytes=1_024) as served:
        client = await served.connect()
        await client.send((GET + b"x: " + b"y" * 800 + b"\r\n\r\n") * 3)

        for _ in range(3):
            assert (await client.answer()).startswith("http/1.1 200")


async def test_half_a_head_is_408_and_half_a_body_is_a_408_problem() -> None:
    async with serving(request_read_seconds=0.1) as served:
        head, body, silent = [await served.connect() for _ in range(3)]
        await head.send(GET)
        await body.send(POST + b"Content-Length: 100\r\n\r\n[")

        assert (await head.rest()).startswith("HTTP/1.1 408 ")
        assert "the request did not arrive in time" in await body.rest()
        assert await silent.rest() == ""


async def test_a_client_that_fetches_no_answer_is_let_go() -> None:
    async with serving(request_read_seconds=0.1, keep_alive_seconds=1) as served:
        client = await served.connect()

        @served.service.get("/large")
        async def large() -> list[str]:
            return ["x" * 1_000] * 20_000

        await client.send(b"GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        await until(lambda: served.server._gate.open)

        await until(lambda: not served.server._gate.open)


async def test_without_room_the_longest_idle_gives_way() -> None:
    async with serving() as served:
        served.server._gate.most, served.server._gate.spare = 1, 1
        first, second = await served.connect(), await served.connect()
        assert (await first.get("/livez")).startswith("http/1.1 200")
        assert (await second.get("/livez")).startswith("http/1.1 200")

        third = await served.connect()

        assert (await third.get("/livez")).startswith("http/1.1 200")
        assert (await second.get("/livez")).startswith("http/1.1 200")
        assert await first.rest() == ""


async def test_above_the_cap_only_probes_are_answered() -> None:
    async with serving() as served:
        served.server._gate.most, served.server._gate.spare = 1, 1
        busy = await served.waiting()

        other = await served.connect()
        assert "too many connections are open" in await other.get("/wait")
        assert await other.rest() == ""
        await until(lambda: len(served.server._gate.open) == 1)
        probe = await served.connect()
        assert (await probe.get("/livez?x=y")).startswith("http/1.1 200")

        served.go.set()
        assert (await busy.answer()).endswith('"done"')


async def test_without_any_room_a_connection_is_dropped() -> None:
    async with serving() as served:
        served.server._gate.most, served.server._gate.spare = 1, 0
        await served.waiting()

        assert await (await served.connect()).rest() == ""


async def test_the_work_for_a_client_that_is_gone_is_undone() -> None:
    async with serving() as served:
        client = await served.waiting()
        client.writer.close()

        await until(lambda: "undone" in served.told)


START: Message = {"type": "http.response.start", "status": 200, "headers": []}
LAST: Message = {"type": "http.response.body", "body": b"done"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "SWEEP_SECONDS", 0.01)


class Call:
    """One request to an app that sends some messages, then takes an hour."""

    def __init__(self, *messages: Message, method: str = "GET") -> None:
        self.messages = messages
        self.scope: MutableMapping[str, Any] = {
            "type": "http",
            "method": method,
            "path": "/items",
            "headers": [],
            "state": {},
        }
        self.sent: list[Message] = []
        self.undone = False

    async def app(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        for message in self.messages:
            await send(message)
        try:
            await asyncio.sleep(3600)
        finally:
            self.undone = True

    async def receive(self) -> Message:
        raise AssertionError("nobody asks")

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def made(self, seconds: float = 0.03) -> None:
        async with asyncio.timeout(10):
            await Deadlines(self.app, seconds=seconds)(self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def problem(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.sent[1]["body"])
        return told


@pytest.mark.parametrize(("method", "safe"), [("GET", True), ("PUT", True), ("POST", False)])
async def test_a_request_that_takes_too_long_is_503_and_its_work_is_undone(
    method: str, safe: bool
) -> None:
    call = Call(method=method)
    await call.made()

    assert (call.status, call.problem["retry_safe"]) == (503, safe)
    assert (b"retry-after", b"1") in call.sent[0]["headers"]
    assert call.undone


async def test_an_answer_that_has_begun_is_cut() -> None:
    call = Call(START)
    await call.made()

    assert call.sent == [START]
    assert call.undone


async def test_work_after_the_answer_has_no_deadline() -> None:
    call = Call(START, LAST)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await call.made()

    assert call.sent == [START, LAST]


@pytest.mark.parametrize(("end", "status"), [("stopping", 503), ("slow", 408)])
async def test_the_connection_may_end_a_running_request(end: str, status: int) -> None:
    call = Call()
    running = asyncio.create_task(call.made(seconds=3600))
    await asyncio.sleep(0)
    call.scope["state"]["end"] = end
    await running

    assert call.status == status
    assert (b"connection", b"close") in call.sent[0]["headers"]
    assert call.undone


async def test_nothing_is_sent_to_a_client_that_is_gone() -> None:
    call = Call()
    running = asyncio.create_task(call.made(seconds=3600))
    await asyncio.sleep(0)
    call.scope["state"]["end"] = "gone"
    await running

    assert call.sent == []
    assert call.undone


async def test_a_client_that_is_gone_before_the_work_begins_costs_none() -> None:
    call = Call()
    call.scope["state"]["end"] = "gone"
    await call.made()

    assert call.sent == []
    assert not call.undone


async def test_a_request_above_the_cap_is_503_before_any_work() -> None:
    call = Call()
    call.scope["state"]["end"] = "full"
    await call.made()

    assert call.status == 503
    assert not call.undone


async def test_a_cancellation_by_somebody_else_passes_through() -> None:
    call = Call()
    running = asyncio.create_task(call.made(seconds=3600))
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert call.sent == []
