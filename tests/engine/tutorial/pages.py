"""A page of FastAPI's tutorial as a small case, and the generated service that it is put into.

A page is a function that adds to the application what the page shows, and returns the requests
that a reader would send, each with the answer that the page promises.
"""

import asyncio
import contextlib
import inspect
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

import vitals
from app import main
from app.settings import Settings
from tests.engine.applications import Lines
from vitals import testing

# Where the contract (3, 4) says otherwise than the tutorial: a page names what holds for it.
DIFFERENCES = {
    "error shape": "every error is application/problem+json; a rejected value is not repeated",
    "data": "a detail that is no text is the member `data`",
    "status 415": "a body that isn't declared as JSON is 415, not 422",
    "docs": "/docs and /openapi.json are the service's own, at these paths only; no /redoc",
    "HEAD": "HEAD is answered wherever GET is",
    "CSP": "a page that loads scripts or styles sets a Content-Security-Policy of its own",
}
STANDARD = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
OPERATOR = {"authorization": "Bearer placeholder-ops-token"}  # the default in `test`


@dataclass(frozen=True)
class Ask:
    """A request with the answer that is expected: a JSON value, a text, or what a function says."""

    request: str
    answer: Any = None
    status: int = 200
    route: str = ""  # the label on the log line; the path where it is left out
    sent: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.request.partition(" ")[2]

    @property
    def label(self) -> str:
        return self.route or self.path.partition("?")[0]


def ask(request: str, answer: Any = None, status: int = 200, route: str = "", **sent: Any) -> Ask:
    """A request such as "GET /teas?limit=1"; `sent` are arguments of httpx."""
    return Ask(request, answer, status, route, sent)


def header(name: str, value: str) -> Callable[[httpx.Response], bool]:
    """An answer with this header."""
    return lambda answer: answer.headers[name] == value


def member(name: str, value: Any) -> Callable[[httpx.Response], bool]:
    """An answer with this member in its JSON."""
    return lambda answer: bool(answer.json()[name] == value)


Asks = Sequence[Ask | Callable[[FastAPI], Any]]


@dataclass(frozen=True)
class Page:
    """What is added before the engine is installed; arguments of FastAPI, install and Settings."""

    name: str
    add: Callable[[FastAPI], Asks]
    differs: Sequence[str] = ()
    fastapi: dict[str, Any] = field(default_factory=dict)
    install: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


PAGES: dict[str, Page] = {}


def page(name: str, **options: Any) -> Callable[[Callable[[FastAPI], Asks]], Any]:
    """Put a function into the table under the address of its page, and a word if it has more."""

    def register(add: Callable[[FastAPI], Asks]) -> Callable[[FastAPI], Asks]:
        assert name not in PAGES, f"{name} is in the table already"
        PAGES[name] = Page(name, add, **options)
        return add

    return register


@contextlib.asynccontextmanager
async def served(page: Page, folder: Path) -> AsyncIterator[tuple[FastAPI, Asks]]:
    """The service of the template with a page in it, started in the environment `test`."""
    asks: Asks = ()
    install = vitals.install

    def installing(app: FastAPI, settings: Settings, **options: Any) -> None:
        nonlocal asks
        asks = page.add(app)
        install(app, settings, **options | page.install)

    given = {"environment": "test", "database_url": f"sqlite:///{folder}/local.db"}
    settings = Settings.model_validate(given | page.settings)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vitals, "install", installing)
        patched.setattr(main, "FastAPI", partial(FastAPI, **page.fastapi))
        app = main.create_app(settings)
    async with testing.lifespan(app):
        yield app, asks


async def send(
    app: FastAPI, method: str, path: str, root_path: str = "", **sent: Any
) -> httpx.Response:
    """Send one request to a started application; errors come as answers."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **sent)


async def check(app: FastAPI, one: Ask) -> None:
    """Send a request: it is answered as expected and seen, once, under its route and status."""
    lines = Lines(app)
    answer = await send(app, one.method, one.path, **one.sent)

    assert answer.status_code == one.status, f"{one.request}: {answer.text}"
    if one.status >= 400 and not isinstance(one.answer, (str, dict)):
        assert answer.headers["content-type"] == "application/problem+json", answer.text
    if callable(one.answer):
        assert one.answer(answer), f"{one.request}: {answer.headers} {answer.text}"
    elif one.answer is not None:
        body = answer.text if isinstance(one.answer, str) else answer.json()
        assert body == one.answer, f"{one.request}: {body}"
    seen = [line for line in map(json.loads, lines) if line["event"] == "request"]
    found = [(line["method"], line["route"], line["status"]) for line in seen]
    method = one.method if one.method in STANDARD else "_OTHER"
    assert found == [(method, one.label, one.status)], f"{one.request}: {found}"
    assert seen[0]["request_id"] == answer.headers["x-request-id"]


async def run(page: Page, folder: Path) -> None:
    """Send what a page asks for, in its order; functions are called with the application."""
    async with served(page, folder) as (app, asks):
        for each in asks:
            if isinstance(each, Ask):
                await check(app, each)
            elif inspect.isawaitable(done := each(app)):
                await done
        counted = await app.state.vitals._metrics.text()
        for each in asks:
            if isinstance(each, Ask):
                assert f'http_route="{each.label}"' in counted


async def talk(app: FastAPI, path: str, *texts: str, headers: dict[str, str] | None = None) -> Any:
    """Open a websocket and send texts, each after the last answer; return these or a refusal."""
    to_app, from_app = asyncio.Queue[Message](), asyncio.Queue[Message]()
    path, _, query = path.partition("?")
    given = {"host": "test"} | (headers or {})
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    scope: dict[str, Any] = {"type": "websocket", "path": path, "root_path": "", "headers": raw}
    scope |= {"query_string": query.encode(), "subprotocols": [], "state": {}, "asgi": {}}
    scope |= {"extensions": {"websocket.http.response": {}}, "http_version": "1.1"}
    running = asyncio.create_task(app(scope, to_app.get, from_app.put))
    await to_app.put({"type": "websocket.connect"})
    first = await from_app.get()
    if first["type"] != "websocket.accept":
        await running
        return first.get("status") or first.get("code")
    came = []
    for text in texts:
        await to_app.put({"type": "websocket.receive", "text": text})
        message = await from_app.get()
        came.append(message.get("text", message.get("code")))
    await to_app.put({"type": "websocket.disconnect", "code": 1000})
    await running
    return came
