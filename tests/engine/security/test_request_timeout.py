"""Request time-outs: what takes too long is cancelled, and others don't notice."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from vitals.security import request_timeout
from vitals.security.request_timeout import RequestTimeout

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
LAST: Message = {"type": "http.response.body", "body": b"done"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_timeout, "SWEEP_SECONDS", 0.01)


class Call:
    """One request to an application that sends some messages, then takes an hour."""

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
        self.cancelled = False

    async def app(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        for message in self.messages:
            await send(message)
        try:
            await asyncio.sleep(3600)  # hangs until it is cancelled
        finally:
            self.cancelled = True

    async def receive(self) -> Message:
        raise AssertionError("nothing is received")

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, seconds: float = 0.03) -> None:
        async with asyncio.timeout(10):
            await RequestTimeout(self.app, seconds=seconds)(self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def problem(self) -> dict[str, Any]:
        problem: dict[str, Any] = json.loads(self.sent[1]["body"])
        return problem


@pytest.mark.parametrize(("method", "safe"), [("GET", True), ("PUT", True), ("POST", False)])
async def test_a_request_that_takes_too_long_is_503_and_its_handler_is_cancelled(
    method: str, safe: bool
) -> None:
    call = Call(method=method)
    await call.run()

    assert (call.status, call.problem["retry_safe"]) == (503, safe)
    assert (b"retry-after", b"1") in call.sent[0]["headers"]
    assert call.cancelled


async def test_an_answer_that_has_begun_ends_without_its_last_message() -> None:
    call = Call(START)
    await call.run()

    assert call.sent == [START]
    assert call.cancelled


async def test_work_after_the_answer_has_no_time_out() -> None:
    call = Call(START, LAST)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await call.run()

    assert call.sent == [START, LAST]


@pytest.mark.parametrize(("end", "status"), [("stopping", 503), ("slow", 408)])
async def test_the_connection_may_end_a_running_request(end: str, status: int) -> None:
    call = Call()
    running = asyncio.create_task(call.run(seconds=3600))
    await asyncio.sleep(0)  # lets the call start
    call.scope["state"]["end"] = end
    await running

    assert call.status == status
    assert (b"connection", b"close") in call.sent[0]["headers"]
    assert call.cancelled


async def test_nothing_is_sent_to_a_client_that_is_gone() -> None:
    call = Call()
    running = asyncio.create_task(call.run(seconds=3600))
    await asyncio.sleep(0)  # lets the call start
    call.scope["state"]["end"] = "gone"
    await running

    assert call.sent == []
    assert call.cancelled


async def test_nothing_runs_for_a_client_that_is_gone_already() -> None:
    call = Call()
    call.scope["state"]["end"] = "gone"
    await call.run()

    assert call.sent == []
    assert not call.cancelled


async def test_a_request_above_the_limit_of_connections_is_503_before_any_work() -> None:
    call = Call()
    call.scope["state"]["end"] = "full"
    await call.run()

    assert call.status == 503
    assert not call.cancelled


async def test_a_cancellation_from_outside_is_passed_on() -> None:
    call = Call()
    running = asyncio.create_task(call.run(seconds=3600))
    await asyncio.sleep(0)  # lets the call start
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert call.sent == []


def test_a_request_is_timed_in_each_event_loop_that_serves_the_application() -> None:
    async def hang(scope: Scope, _receive: Receive, _send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(3600)  # hangs until it is cancelled

    async def serve(call: Call) -> None:
        await timed({"type": "lifespan"}, call.receive, call.send)
        await asyncio.wait_for(timed(call.scope, call.receive, call.send), 10)

    timed, calls = RequestTimeout(hang, seconds=0.03), [Call(), Call()]

    for call in calls:  # each test of a service may have a loop of its own
        asyncio.run(serve(call))

    assert [call.status for call in calls] == [503, 503]
