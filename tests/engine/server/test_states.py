"""Every state of a connection has a deadline: a client that does nothing more is let go."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest
from fastapi.responses import StreamingResponse

from tests.engine.applications import until
from tests.engine.server.served import Served, serving
from vitals.server.limits import State

HOST = b"Host: test\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
CLOSING = GET.replace(HOST, HOST + b"Connection: close\r\n")
POST = b"POST /body HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
UNREAD = b"POST /livez HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n"
QUICK = {
    "request_read_seconds": 0.3,
    "request_seconds": 0.6,  # longer than the time to read: the order of the two must not be chance
    "keep_alive_seconds": 1,
    "shutdown_seconds": 1,
}
# What a client sends before it does nothing more: the state that it leaves, and the last answer.
STATES: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", State.HEAD, ""),
    "a line break": (b"\r\n", State.HEAD, "408"),
    "half a head": (GET[:-4], State.HEAD, "408"),
    "half a head after an answer": (GET + GET[:-4], State.HEAD, "408"),
    "an answered request": (GET, State.IDLE, "200"),
    "a line break after an answer": (GET + b"\r\n", State.IDLE, "200"),
    "half a body": (POST + b"Content-Length: 9\r\n\r\n[", State.BODY, "408"),
    "a head whose body is to come": (POST + b"Content-Length: 9\r\n\r\n", State.BODY, "408"),
    "half a chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\n[", State.BODY, "408"),
    "a request that takes too long": (
        b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n",
        State.HANDLING,
        "503",
    ),
    "a body that nobody reads": (UNREAD, State.DISCARD, "405"),
    "a byte of a body that nobody reads": (UNREAD + b"x", State.DISCARD, "405"),
    "a body that nobody reads, and waits for leave to send it": (
        UNREAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
        State.DISCARD,
        "405",
    ),
    "what is no HTTP": (b"\x16\x03\x01\x02\x00" * 9, State.DISCARD, "400"),
    "a malformed chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nz\r\n", State.DISCARD, "400"),
    "a request behind one that closes": (CLOSING + GET, State.DISCARD, "200"),
}


@pytest.mark.parametrize("sent", STATES)
async def test_a_client_that_does_nothing_more_is_let_go(sent: str) -> None:
    data, state, status = STATES[sent]
    async with serving(**QUICK) as served:
        client = await served.connect()
        await until(lambda: served.server._limiter.open)
        [connection] = served.server._limiter.open

        await client.send(data)
        await until(lambda: connection.state == state)
        assert connection.deadline < math.inf or state == State.HANDLING

        answers = await client.rest()
        assert answers.rpartition("HTTP/1.1 ")[2][:3] == status
        await until(lambda: not served.server._limiter.open)


async def test_after_an_answer_further_bytes_give_no_more_time() -> None:
    async with serving(**QUICK) as served:
        client = await served.connect()
        await client.get("/livez")
        [connection] = served.server._limiter.open
        deadline = connection.deadline

        await client.send(b"\r\n")
        await until(lambda: connection.parts.counted)

        assert (connection.state, connection.deadline) == (State.IDLE, deadline)


PART = b"x" * 100_000


def add_download(served: Served) -> None:
    """An answer of 20 MB, more than all buffers between the server and its client hold."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield PART

    @served.app.get("/download")
    async def download() -> StreamingResponse:
        return StreamingResponse(parts())

    @served.app.get("/large")
    async def large() -> str:
        return PART.decode() * 200


@pytest.mark.parametrize("path", ["/download", "/large"])
async def test_a_client_that_reads_slowly_gets_all_and_one_that_stops_is_cut(path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode()
    async with serving(request_seconds=0.3) as served:
        add_download(served)
        slow, stops = await served.connect(), await served.connect()
        await slow.send(request)
        await stops.send(request)
        received = 0
        while part := await slow.reader.read(1_000_000):
            received += len(part)
            await asyncio.sleep(0.05)  # the slowness itself: the whole takes three times the limit

        assert received > 200 * len(PART)
        await until(lambda: not served.server._limiter.open)
        assert len(await stops.rest()) < 200 * len(PART)
