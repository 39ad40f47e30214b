"""Websockets on a real socket: guarded, limited, observed, and told of the stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Security, WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import vitals
from tests.engine.applications import Lines, install, settings, until
from vitals import Caller, Problem, caller
from vitals.server import serve
from vitals.server.serve import bind
from vitals.server.server import Server


async def verify(token: str) -> Caller:
    return Caller(token, frozenset(["talk"]))


def paging(limit: int = 20) -> int:
    return limit


def talking() -> FastAPI:
    """An application with websockets as FastAPI's tutorial writes them."""
    app = FastAPI()

    @app.websocket("/rooms/{room}")
    async def talk(room: str, socket: WebSocket, limit: Annotated[int, Depends(paging)]) -> None:
        await socket.accept()
        while True:
            text = await socket.receive_text()
            vitals.add_call("db", 1, "SELECT 1")
            await socket.send_text(f"{room} {limit} {text}")

    @app.websocket("/members")
    async def members(
        socket: WebSocket, who: Annotated[Caller, Security(caller, scopes=["talk"])]
    ) -> None:
        await socket.accept()
        await socket.send_text(who.subject)
        await socket.close()

    @app.websocket("/refused")
    async def refused(socket: WebSocket) -> None:
        await socket.accept()
        raise Problem(409, "the room is full")

    @app.websocket("/defect")
    async def defect(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("hunter2")

    @app.websocket("/ticker")
    async def ticker(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text("tick")
            await asyncio.sleep(0.01)  # the pause between two ticks

    @app.websocket("/dump")
    async def dump(socket: WebSocket) -> None:
        """Send until another handler had its turn, at most 5,000 messages."""
        await socket.accept()
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, True)
        sent = 0
        while not turn.done() and sent < 5_000:
            await socket.send_text("row")
            sent += 1
        await socket.send_text(str(sent))
        await socket.close()

    @app.websocket("/forgotten")
    async def forgotten(_: WebSocket) -> None: ...

    @app.websocket("/silent")
    async def silent(socket: WebSocket) -> None:
        await asyncio.sleep(60)
        await socket.accept()

    return app


class Talk:
    """A served application, the lines of its log, and clients."""

    def __init__(self, **given: object) -> None:
        self.app = install(talking(), {"verify": verify}, **given)
        self.lines = Lines(self.app)
        self.server = Server(self.app, settings(**given))
        listener = bind("127.0.0.1", 0)
        self.address = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        self.stopped = asyncio.create_task(self.server._serve([listener]))

    def open(self, path: str, **headers: str) -> connect:
        return connect(self.address + path, additional_headers=headers)

    async def metrics(self) -> str:
        text: str = await self.app.state.vitals._metrics.text()
        return text


@asynccontextmanager
async def talk(**given: object) -> AsyncIterator[Talk]:
    talk = Talk(**given)
    await until(lambda: talk.server.started)
    try:
        yield talk
    finally:
        talk.server.should_exit = True
        async with asyncio.timeout(20):
            await talk.stopped


async def close_code(client: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        await client.recv()
    return client.close_code


async def test_a_websocket_has_a_line_a_gauge_and_a_counted_handshake() -> None:
    async with talk() as it:
        async with it.open(
            "/rooms/a?limit=5&password=hunter2", **{"X-Request-ID": "abcdefgh"}
        ) as ws:
            await ws.send("hello")
            assert await ws.recv() == "a 5 hello"
            route = 'http_route="/rooms/{room}"'
            assert f"http_server_open_websockets{{{route}}} 1" in await it.metrics()
        await until(lambda: it.lines)
        metrics = await it.metrics()

    line = it.lines.last()
    assert (line["event"], line["route"], line["request_id"]) == (
        "websocket",
        "/rooms/{room}",
        "abcdefgh",
    )
    assert (line["status"], line["close_code"], line["outcome"]) == (101, 1000, "completed")
    assert (line["db_calls"], line["bytes_out"], line["client"]) == (1, 9, "127.0.0.1")
    assert "hunter2" not in "".join(it.lines)
    assert f"http_server_open_websockets{{{route}}} 0" in metrics
    labels = f'http_request_method="GET",{route},http_response_status_code="101"'
    assert f"http_server_request_duration_seconds_count{{{labels}}} 1" in metrics


async def test_the_guard_of_a_websocket_answers_its_handshake() -> None:
    async with talk() as it:
        with pytest.raises(InvalidStatus) as refusal:
            async with it.open("/members"):
                pass
        async with it.open("/members", Authorization="Bearer ann") as ws:
            assert await ws.recv() == "ann"
        await until(lambda: len(it.lines) == 2)

    answer = refusal.value.response
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["x-request-id"] in it.lines[0]
    assert '"status":401' in it.lines[0]
    assert (it.lines.last()["subject"], it.lines.last()["outcome"]) == ("ann", "completed")


@pytest.mark.parametrize(("path", "code"), [("/refused", 1008), ("/defect", 1011)])
async def test_an_error_after_the_handshake_is_a_close_code(path: str, code: int) -> None:
    async with talk() as it:
        async with it.open(path) as ws:
            assert await close_code(ws) == code
        await until(lambda: it.lines)

    line = it.lines.last()
    assert (line["close_code"], line["error"]) == (code, "" if code == 1008 else "ValueError")


@pytest.mark.parametrize("path", ["/rooms/a", "/ticker"])
async def test_a_client_that_vanishes_is_no_error(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with talk() as it:
        ws = await it.open(path)
        ws.transport.abort()
        await until(lambda: it.lines)

    assert (it.lines.last()["outcome"], it.lines.last()["error"]) == ("client_left", "")
    assert [each.levelname for each in caplog.records].count("ERROR") == 0


async def test_a_handler_that_does_not_accept_in_time_is_refused() -> None:
    async with talk(request_seconds=0.3) as it:
        with pytest.raises(InvalidStatus) as refusal:
            async with it.open("/silent"):
                pass

    assert refusal.value.response.status_code == 503


async def test_a_handler_that_accepts_nothing_is_an_error_of_the_server() -> None:
    async with talk() as it:
        with pytest.raises(InvalidStatus) as refusal:
            async with it.open("/forgotten"):
                pass
        await until(lambda: it.lines)

    assert (refusal.value.response.status_code, it.lines.last()["status"]) == (500, 500)


async def test_a_message_above_the_limit_closes_the_websocket() -> None:
    async with talk(max_body_bytes=1024) as it, it.open("/rooms/a") as ws:
        await ws.send("x" * 2000)
        assert await close_code(ws) == 1009


async def test_the_parts_of_a_message_count_together() -> None:
    async with talk() as talks, talks.open("/rooms/a") as client:

        async def send_and_read() -> None:
            await client.send("x" * 100_000 for _ in range(40))
            await client.recv()

        with pytest.raises(ConnectionClosed) as closed:
            await send_and_read()

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_a_handler_that_sends_without_a_pause_leaves_others_their_turn() -> None:
    async with talk() as it, it.open("/dump") as socket:
        messages = [message async for message in socket]

    assert int(messages[-1]) < 100


async def test_a_stop_closes_websockets_with_the_code_of_a_restart() -> None:
    async with talk(drain_seconds=0, shutdown_seconds=1) as it, it.open("/rooms/a") as ws:
        it.server.handle_exit(signal.SIGTERM, None)

        assert await close_code(ws) == 1012


@pytest.mark.parametrize("other", ["", "wsproto"])
def test_a_websocket_without_the_library_whose_messages_are_bounded_refuses_the_start(
    other: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: name == other or None)

    assert serve.serve(install(talking()), settings()) == 2
    assert "/rooms/{room}: a websocket needs a library. Fix: " in capsys.readouterr().err
