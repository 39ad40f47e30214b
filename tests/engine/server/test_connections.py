"""Limits of connections: their number, the size of headers, the time for each state."""

import pytest
from fastapi import Response

from tests.engine.applications import until
from tests.engine.server.served import serving

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


@pytest.mark.parametrize("target", ["/body", "/own", "/nothing"])
async def test_the_engines_headers_are_once_in_each_answer_of_a_connection(target: str) -> None:
    async with serving(server_timing=True) as served:

        @served.app.get("/own")
        async def own(response: Response) -> None:
            response.headers["cache-control"] = "max-age=60"

        client = await served.connect()
        answers = [await client.get(target) for _ in range(2)]

    for name in ("x-request-id", "x-content-type-options", "cache-control", "server-timing"):
        assert [answer.count(f"\r\n{name}: ") for answer in answers] == [1, 1], name
    assert ("\r\ncache-control: max-age=60\r\n" in answers[0]) is (target == "/own")


async def test_half_a_head_is_408_and_half_a_body_is_a_408_problem() -> None:
    async with serving(request_read_seconds=0.1) as served:
        head, body, silent = [await served.connect() for _ in range(3)]
        await head.send(GET)
        await body.send(POST + b"Content-Length: 100\r\n\r\n[")

        assert (await head.rest()).startswith("HTTP/1.1 408 ")
        assert "the request did not arrive in time" in await body.rest()
        assert await silent.rest() == ""


async def test_a_client_that_reads_no_answer_is_disconnected() -> None:
    async with serving(request_seconds=0.3) as served:
        client = await served.connect()

        @served.app.get("/large")
        async def large() -> list[str]:
            return ["x" * 1_000] * 20_000

        await client.send(b"GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        await until(lambda: served.server._limiter.open)

        await until(lambda: not served.server._limiter.open)


async def test_without_room_the_longest_idle_connection_is_closed() -> None:
    async with serving() as served:
        limiter = served.server._limiter
        limiter.max_active, limiter.max_idle = 1, 1
        first, second = await served.connect(), await served.connect()
        assert (await first.get("/livez")).startswith("http/1.1 200")
        assert (await second.get("/livez")).startswith("http/1.1 200")

        third = await served.connect()

        assert (await third.get("/livez")).startswith("http/1.1 200")
        assert (await second.get("/livez")).startswith("http/1.1 200")
        assert await first.rest() == ""


@pytest.mark.parametrize("prefix", ["", "/internal"])
async def test_above_the_limit_only_probes_are_answered(prefix: str) -> None:
    async with serving(prefix=prefix) as served:
        limiter = served.server._limiter
        limiter.max_active, limiter.max_idle = 1, 1
        busy = await served.waiting()

        other = await served.connect()
        assert "too many connections are open" in await other.get("/wait")
        assert await other.rest() == ""
        await until(lambda: len(served.server._limiter.open) == 1)
        probe = await served.connect()
        assert (await probe.get(f"{prefix}/livez?x=y")).startswith("http/1.1 200")

        served.go.set()
        assert (await busy.answer()).endswith('"done"')


async def test_without_any_room_a_connection_is_dropped() -> None:
    async with serving() as served:
        limiter = served.server._limiter
        limiter.max_active, limiter.max_idle = 1, 0
        await served.waiting()

        assert await (await served.connect()).rest() == ""


async def test_the_handler_of_a_client_that_is_gone_is_cancelled() -> None:
    async with serving() as served:
        client = await served.waiting()
        client.writer.close()

        await until(lambda: "cancelled" in served.events)
