"""Small applications with the engine installed, and the log lines of their requests."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import Message

import vitals
from vitals import Settings


def settings(**given: Any) -> Settings:
    """The settings of a test; those that are given are validated."""
    return Settings.model_validate({"environment": "test", **given})


def install(app: FastAPI, options: dict[str, Any] | None = None, **given: Any) -> FastAPI:
    """Install the engine with settings, and return the application."""
    vitals.install(app, settings(**given), **(options or {}))
    return app


class Lines(list[str]):
    """The log lines of an application's requests, from now on."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__()
        app.state.vitals._access_log._write_line = self.append

    def last(self) -> dict[str, Any]:
        """The fields of the last line."""
        line: dict[str, Any] = json.loads(self[-1])
        return line


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, for at most 10 s."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met within 10 s"
        await asyncio.sleep(0.005)  # the pause between two polls


async def connect(app: FastAPI, path: str, headers: dict[str, str] | None = None) -> list[Message]:
    """Open a websocket as a server does, close it, and return what the application sent."""
    sent: list[Message] = []
    inbox: list[Message] = [
        {"type": "websocket.disconnect", "code": 1000},
        {"type": "websocket.connect"},
    ]

    async def receive() -> Message:
        return inbox.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [
        (name.encode(), value.encode())
        for name, value in ({"host": "test"} | (headers or {})).items()
    ]
    scope: dict[str, Any] = {"type": "websocket", "path": path, "root_path": "", "headers": raw}
    nothing: dict[str, Any] = {}
    scope |= {"query_string": b"", "subprotocols": [], "state": dict[str, Any](), "asgi": nothing}
    scope["extensions"] = {"websocket.http.response": nothing}
    await app(scope, receive, send)
    return sent
