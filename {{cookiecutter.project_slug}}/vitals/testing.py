"""Help for a service's tests: a client without a socket, and budgets for what requests cost.

async with testing.client(create_app(settings)) as client, testing.cost() as cost:
    await client.get("/items")
assert cost.db_calls <= 2
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from vitals.budget import cost as cost
from vitals.observability import logs


@contextmanager
def discarded_log() -> Iterator[None]:
    """Discard the log of applications in this process: it would mix with what pytest prints."""
    with Path(os.devnull).open("wb") as nothing, logs.stdout.redirected(nothing.fileno()):
        yield


@asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application, which is started and stopped; errors come as answers.

    Raises RuntimeError with the reason when the application does not start.
    """
    async with lifespan(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": state.copy()}, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as it:
            yield it


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Run an application from its start to its stop, as a server does; gives its state (ASGI)."""
    to_app, from_app = asyncio.Queue[Message](), asyncio.Queue[Message]()
    state: dict[str, Any] = {}

    async def expect(event: str) -> None:
        await to_app.put({"type": f"lifespan.{event}"})
        answer = asyncio.create_task(from_app.get())
        await asyncio.wait((running, answer), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await running  # raises what it failed with
        elif (message := answer.result())["type"] != f"lifespan.{event}.complete":
            await asyncio.gather(running, return_exceptions=True)
            raise RuntimeError(message.get("message", message["type"]))

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    running = asyncio.create_task(app(scope, to_app.get, from_app.put))
    await expect("startup")
    try:
        yield state
    finally:
        await expect("shutdown")
        await running
