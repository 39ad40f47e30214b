"""What hostile clients send: none of it is believed, kept without a bound, or waited for."""

import asyncio
import json
import random
import re
from collections.abc import Iterator

import pytest
from fastapi import Request, WebSocket

from tests.engine.applications import until
from tests.engine.server import hostile
from tests.engine.server.served import Client, Served, serving

HOST = b"Host: test\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
POST_JSON = b"POST /body HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
LAST = b"GET /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


def add_echo(served: Served) -> None:
    """A route that answers with the body, and what it was told in headers."""

    @served.app.api_route("/echo", methods=["GET", "POST"])
    async def echo(request: Request) -> dict[str, str]:
        body = await request.body()
        return {"body": body.decode(), "authorization": request.headers.get("authorization", "")}

    @served.app.get("/smuggled")
    async def smuggled() -> None:
        served.events.append("smuggled")


def post(body: bytes, *headers: bytes, chunked: bool = False) -> bytes:
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    if chunked:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    lines = [b"POST /echo HTTP/1.1", HOST.strip(), framing, *headers]
    return b"\r\n".join([*lines, b"", body])


async def send_in_parts(client: Client, data: bytes, parts: int) -> None:
    cuts = sorted(random.sample(range(1, len(data)), min(parts, len(data)) - 1))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        await client.send(data[start:end])
        await asyncio.sleep(0)  # so that the server may read it alone


UPGRADES = [b"h2c", b"websocket", b"TLS/1.2", b"foo", b"h2c, websocket"]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 30])
async def test_an_upgrade_is_ignored_and_its_body_is_read_as_the_body(
    upgrade: bytes, chunked: bool, parts: int
) -> None:
    headers = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + upgrade]
    async with serving() as served:
        add_echo(served)
        client = await served.connect()
        await send_in_parts(client, post(SMUGGLED, *headers, chunked=chunked) + GET, parts)

        assert SMUGGLED.decode() in (await client.answer()).replace("\\r\\n", "\r\n")
        assert (await client.answer()).startswith("http/1.1 200")
        assert "smuggled" not in served.events


async def test_requests_without_a_body_and_with_an_upgrade_are_answered_in_turn() -> None:
    upgrade = b"GET /echo HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with serving() as served:
        add_echo(served)
        client = await served.connect()

        await client.send(upgrade + GET + upgrade)

        assert '"body":""' in await client.answer()
        assert '"status":"pass"' in await client.answer()
        assert '"body":""' in await client.answer()


async def test_trailers_are_never_headers() -> None:
    request = post(b"ok", b"Authorization: Bearer real", chunked=True).removesuffix(b"\r\n")
    trailers = b"Authorization: Bearer stolen\r\nHost: evil.example\r\nExpect: 100-continue\r\n\r\n"
    async with serving() as served:
        add_echo(served)
        client = await served.connect()

        await client.send(request + trailers + LAST)

        assert '{"body":"ok","authorization":"bearer real"}' in (await client.answer()).lower()
        assert '"status":"pass"' in await client.rest()


ENDLESS = {
    "trailers": b"".join(b"x-%d: y\r\n" % n for n in range(1_000)),
    "one trailer": b"x: " + b"y" * 10_000,
    "a chunk's extension": b"2;" + b"y" * 10_000,
    "a chunk's size": b"0" * 10_000,
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_stands_between_the_parts_of_a_body_is_limited(what: str) -> None:
    end = b"0\r\n" if "trailer" in what else b""
    async with serving(max_header_bytes=1_024) as served:
        add_echo(served)
        client = await served.connect()

        await client.send(
            post(b"ok", chunked=True).removesuffix(b"0\r\n\r\n") + end + ENDLESS[what]
        )

        answer = await client.rest()
        assert answer.startswith(("HTTP/1.1 431 ", "HTTP/1.1 400 "))
        assert '"type": "urn:problem:' in answer


async def test_a_body_in_many_small_chunks_is_within_the_limit_of_headers() -> None:
    async with serving(max_header_bytes=1_024) as served:
        add_echo(served)
        client = await served.connect()

        head = post(b"x", chunked=True).removesuffix(b"0\r\n\r\n")
        await client.send(head + b"1;note=y\r\nx\r\n" * 500 + b"0\r\n\r\n")

        assert "x" * 501 in await client.answer()


async def test_a_head_has_the_same_limit_wherever_it_begins() -> None:
    large = b"GET /livez HTTP/1.1\r\n" + HOST + b"x: " + b"y" * 1_000 + b"\r\n\r\n"
    for before in (b"", b"\r\n", post(b"ok"), post(b"ok", chunked=True)):
        for parts in (1, 2, 40):
            async with serving(max_header_bytes=1_024) as served:
                add_echo(served)
                client = await served.connect()

                await send_in_parts(client, before + large, parts)

                assert "HTTP/1.1 431 " in await client.rest()


async def test_pipelined_requests_are_answered_one_after_the_other() -> None:
    async with serving() as served:
        client = await served.connect()
        await client.send(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n" + GET * 5_000 + LAST)
        await until(lambda: served.events == ["waiting"])
        served.go.set()

        assert (await client.rest()).count("HTTP/1.1 200 ") == 5_002


async def test_what_a_client_pipelines_is_not_read_beyond_a_bound() -> None:
    async with serving() as served:
        client = await served.waiting()
        [connection] = served.server._limiter.open

        sending = asyncio.create_task(client.send(GET * 200_000))
        await until(lambda: connection.transport.held)
        for _ in range(100):  # as a handler does that looks whether its client has left
            connection.flow.resume_reading()
            await asyncio.sleep(0)

        assert connection.parts.waiting < 1_000_000
        assert not sending.done()
        served.go.set()
        sending.cancel()


async def test_a_client_that_pipelines_and_leaves_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as served:
        add_echo(served)
        client = await served.waiting()
        await client.send(post(b"x") * 10)
        client.writer.close()

        await until(lambda: "cancelled" in served.events)
        await until(lambda: not served.server.server_state.tasks)
        assert [r for r in caplog.records if r.levelname == "ERROR"] == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_who_sends_all_before_reading_gets_the_refusal(chunked: bool) -> None:
    request = post(b"x" * 5_000_000, chunked=chunked)
    async with serving() as served:
        add_echo(served)
        for _ in range(10):
            client = await served.connect()
            await client.send(request)

            assert (await client.rest()).startswith("HTTP/1.1 413 ")


async def test_no_more_than_a_bound_is_thrown_away_after_a_refusal() -> None:
    async with serving() as served:
        client = await served.connect()
        await client.send(b"GET /livez HTTP/1.1\r\nbad")
        with pytest.raises(ConnectionError):
            await client.send(b"\0" * 100_000_000)


async def test_waiting_for_bodies_takes_half_of_the_connections_and_the_longest_ends() -> None:
    async with serving() as served:
        served.server._limiter.max_active = 4
        first, *others = [await served.connect() for _ in range(3)]
        for client in (first, *others):
            await client.send(POST_JSON + b"Content-Length: 2\r\n\r\n")
            await until(lambda: served.server._limiter.awaiting_body)

        assert "the request did not arrive in time" in await first.rest()
        for client in others:
            await client.send(b"[]")
            assert (await client.answer()).endswith("0")


SWITCH = (
    b"GET /socket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HELLO = b"\x81\x85\0\0\0\0hello"  # a masked text frame


def add_socket(served: Served) -> None:
    @served.app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            served.events.append(await websocket.receive_text())


@pytest.fixture
def with_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Served, "_add_routes", add_socket)


@pytest.mark.usefixtures("with_socket")
@pytest.mark.parametrize("parts", [1, 2, 30])
async def test_a_websocket_that_the_application_has_is_opened(parts: int) -> None:
    async with serving(shutdown_seconds=1) as served:
        client = await served.connect()
        await send_in_parts(client, SWITCH + HELLO, parts)

        assert b"101 Switching" in await client.reader.readuntil(b"\r\n\r\n")
        await until(lambda: served.events == ["hello"])
        served.server.handle_exit(2, None)
        assert b"\x03\xf4" in await client.reader.read(100)  # 1012: the service restarts


@pytest.mark.usefixtures("with_socket")
async def test_a_websocket_whose_head_is_larger_than_it_takes_is_refused() -> None:
    many = b"".join(b"x-%d: y\r\n" % n for n in range(130))
    async with serving(request_read_seconds=0.3) as served:
        client = await served.connect()
        await client.send(SWITCH.removesuffix(b"\r\n") + many + b"\r\n")

        assert (await client.rest()).startswith("HTTP/1.1 431 ")
        await until(lambda: not served.server._limiter.open)


@pytest.mark.usefixtures("with_socket")
async def test_a_websocket_that_sends_parts_of_a_message_without_end_is_cut() -> None:
    async with serving() as served:
        client = await served.connect()
        await client.send(SWITCH)
        await client.reader.readuntil(b"\r\n\r\n")
        await client.send(b"\x01\x80\0\0\0\0" + b"\0\x80\0\0\0\0" * 20_000)

        await until(lambda: not served.server._limiter.open)


async def test_tiny_chunks_leave_others_their_turn() -> None:
    async with serving() as served:
        add_echo(served)
        flood, other = await served.connect(), await served.connect()
        head = post(b"x", chunked=True).removesuffix(b"0\r\n\r\n")
        await flood.send(head)
        waiting = served.server._limiter.awaiting_body
        await until(lambda: waiting)
        [connection] = waiting
        connection.data_received(b"1\r\nx\r\n" * 20_000)

        assert connection.parts.waiting
        assert "200" in await other.get("/livez")
        await flood.send(b"0\r\n\r\n")
        assert "x" * 20_001 in await flood.answer()


@pytest.mark.parametrize("trailer", [b"Connection: close", b"Upgrade: h2c"])
async def test_a_trailer_does_not_change_what_comes_after_it(trailer: bytes) -> None:
    request = post(b"ok", chunked=True).removesuffix(b"\r\n") + trailer + b"\r\n\r\n"
    async with serving() as served:
        add_echo(served)
        client = await served.connect()

        await client.send(request)
        assert '"body":"ok"' in await client.answer()

        assert '"status":"pass"' in await client.get("/livez")


async def test_a_length_of_any_number_of_digits_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as served:
        add_echo(served)
        for length in (b"0" * 5_000 + b"2", b"9" * 5_000):
            client = await served.connect()
            head = POST_JSON.replace(b"/body", b"/echo") + b"Connection: close\r\n"
            await client.send(head + b"Content-Length: " + length + b"\r\n\r\n{}")

            assert (await client.rest())[9:12] in ("200", "400", "413")
        assert [r for r in caplog.records if r.levelname == "ERROR"] == []


async def test_bodies_that_nobody_reads_do_not_end_a_kept_connection() -> None:
    async with serving() as served:
        client = await served.connect()
        body = b"x" * 2_000_000
        for _ in range(20):
            head = b"POST /nowhere HTTP/1.1\r\n" + HOST
            await client.send(
                head + b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            assert (await client.answer()).startswith("http/1.1 404")


async def test_who_reads_slowly_gets_the_whole_answer_also_after_a_byte_too_much() -> None:
    request = b"GET /large HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    async with serving(request_read_seconds=0.2) as served:

        @served.app.get("/large")
        async def large() -> str:
            return "x" * 20_000_000

        client = await served.connect()
        await client.send(request + b"\r\n")
        received = 0
        while part := await client.reader.read(1_000_000):
            received += len(part)
            await asyncio.sleep(0.02)  # the slowness itself

        assert received > 20_000_000


async def test_a_silent_newcomer_does_not_end_an_answer_that_is_being_read() -> None:
    async with serving() as served:

        @served.app.get("/large")
        async def large() -> str:
            return "x" * 20_000_000

        limiter = served.server._limiter
        limiter.max_active, limiter.max_idle = 1, 1
        reads = await served.connect()
        await reads.send(b"GET /large HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        await until(lambda: any(c.transport.written > 20_000_000 for c in limiter.open))
        for _ in range(3):
            await served.connect()

        assert len(await reads.rest()) > 20_000_000


async def answers_to(served: Served, data: bytes) -> bytes:
    """Send bytes, close our side, and return all that comes until the server closes."""

    @served.app.api_route("/items", methods=["GET", "POST"])
    async def items(request: Request) -> int:
        return len(await request.body())

    client = await served.connect()
    await client.send(data)
    client.writer.write_eof()
    return (await client.rest()).encode()


def faults(received: bytes) -> Iterator[str]:
    """What is wrong with the answers: a server error, or an error in another shape."""
    for answer in re.split(rb"(?=HTTP/1\.1 \d{3} )", received)[1:]:
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head[9:12])
        if status >= 500:
            yield f"the status is {status}"
        if status >= 400 and body:
            if b"content-type: application/problem+json" not in head.lower():
                yield f"{status} has another shape: {body[:80]!r}"
            elif json.loads(body)["status"] != status:
                yield f"{status} has another status in its body"
        elif status >= 400 and b"connection: close" not in head.lower():
            yield f"{status} is empty, and the connection stays open"


@pytest.mark.parametrize("name", hostile.EVERY)
async def test_a_malformed_request_is_no_server_error_and_has_the_one_shape(name: str) -> None:
    async with serving() as served:
        assert list(faults(await answers_to(served, hostile.EVERY[name]))) == []


@pytest.mark.parametrize("name", hostile.SMUGGLING)
async def test_an_ambiguous_length_hides_no_second_request(name: str) -> None:
    async with serving() as served:
        received = await answers_to(served, hostile.SMUGGLING[name])

    assert received.count(b"HTTP/1.1 ") <= 1, received  # and then the connection is closed
