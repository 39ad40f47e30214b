"""Streams and files on a raw socket: clients that stall, leave, or ask for the head or a part."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import Depends
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.sse import EventSourceResponse

import vitals
from tests.engine.applications import Lines, until
from tests.engine.server.served import Client, Served, serving

ENDLESS = [Depends(vitals.deadline(None))]


def add_streams(served: Served, folder: Path) -> Lines:
    """Streams without an end, ones that break, and a file."""
    app = served.app
    (folder / "digits").write_bytes(b"0123456789" * 10)

    async def endless(part: bytes) -> AsyncIterator[bytes]:
        try:
            while True:
                yield part
                await asyncio.sleep(0)
        finally:
            served.events.append("closed")

    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ValueError("hunter2")

    async def short() -> AsyncIterator[bytes]:
        yield b"abc"

    @app.get("/endless", dependencies=ENDLESS)
    async def _() -> StreamingResponse:
        return StreamingResponse(endless(b"x" * 65_536), media_type="text/plain")

    @app.get("/events", dependencies=ENDLESS, response_class=EventSourceResponse)
    async def _() -> AsyncIterator[dict[str, int]]:
        while True:
            yield {"n": 1}
            await asyncio.sleep(0)

    @app.get("/broken")
    async def _() -> StreamingResponse:
        return StreamingResponse(broken())

    @app.get("/short")
    async def _() -> StreamingResponse:
        return StreamingResponse(short(), headers={"Content-Length": "10"})

    @app.get("/file")
    async def _() -> FileResponse:
        return FileResponse(folder / "digits")

    return Lines(app)


async def ask(served: Served, path: str, *headers: str, method: str = "GET") -> Client:
    client = await served.connect()
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]
    await client.send("\r\n".join(lines).encode())
    return client


@pytest.mark.parametrize("path", ["/endless", "/events", "/file"])
async def test_after_the_head_of_a_stream_the_next_request_is_answered(
    tmp_path: Path, path: str
) -> None:
    async with serving() as served:
        lines = add_streams(served, tmp_path)
        client = await ask(served, path, method="HEAD")
        await client.reader.readuntil(b"\r\n\r\n")

        assert '"status":"pass"' in await client.get("/livez")
        await until(lambda: lines)
        line = lines.last()

    assert (line["method"], line["status"], line["outcome"]) == ("HEAD", 200, "completed")
    assert (line["bytes_out"], line["error"]) == (0, "")


async def test_a_client_that_stalls_is_cut_from_a_stream_without_a_deadline(tmp_path: Path) -> None:
    async with serving(request_read_seconds=0.5, request_seconds=0.5) as served:
        lines = add_streams(served, tmp_path)
        client = await ask(served, "/endless")

        await until(lambda: lines)  # without a byte read
        line = lines.last()
        client.writer.transport.abort()

    assert (line["status"], line["outcome"]) == (499, "client_left")
    assert served.events == ["closed"]


async def test_a_client_that_leaves_ends_its_stream(tmp_path: Path) -> None:
    async with serving() as served:
        lines = add_streams(served, tmp_path)
        client = await ask(served, "/endless")
        await client.reader.readexactly(200_000)
        client.writer.transport.abort()

        await until(lambda: lines)
        assert lines.last()["outcome"] == "client_left"
        await until(lambda: served.events == ["closed"])


@pytest.mark.parametrize(("path", "error"), [("/broken", "ValueError"), ("/short", "RuntimeError")])
async def test_an_answer_that_breaks_off_is_500_in_the_log_and_has_no_end(
    tmp_path: Path, path: str, error: str
) -> None:
    async with serving() as served:
        lines = add_streams(served, tmp_path)
        received = await (await ask(served, path)).rest()
        line = lines.last()

    assert (line["status"], line["outcome"], line["error"]) == (500, "error", error)
    assert not received.endswith("0\r\n\r\n")
    assert "hunter2" not in received


@pytest.mark.parametrize(
    ("ranges", "status", "content"),
    [
        ("bytes=0-4", 206, "01234"),
        ("bytes=-3", 206, "789"),
        ("BYTES=97-", 206, "789"),
        ("bytes=500-", 416, ""),
        ("bytes=5-2", 200, "0123456789" * 10),
        ("bytes=abc", 200, "0123456789" * 10),
        ("lines=1-2", 200, "0123456789" * 10),
        ("bytes=" + "1-1," * 5_000, 200, "0123456789" * 10),
        ("bytes=" + "9" * 5_000 + "-", 200, "0123456789" * 10),
    ],
)
async def test_a_range_is_answered_and_what_is_none_is_ignored(
    tmp_path: Path, ranges: str, status: int, content: str
) -> None:
    async with serving() as served:
        add_streams(served, tmp_path)
        answer = await (await ask(served, "/file", f"Range: {ranges}", "Connection: close")).rest()

    head, _, body = answer.partition("\r\n\r\n")
    assert (int(head[9:12]), body) == (status, content)
