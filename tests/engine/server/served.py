"""A running server in this event loop, and clients on raw sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from tests.engine.applications import install, settings, until
from vitals.server.serve import bind
from vitals.server.server import Server


class Client:
    """One connection, and what came back on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def get(self, path: str) -> str:
        """Send a request and read the whole answer; the connection stays open."""
        await self.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        return await self.answer()

    async def answer(self) -> str:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return head + (await self.reader.readexactly(length)).decode()

    async def rest(self) -> str:
        """All that comes until the server closes; empty if it resets."""
        try:
            return (await self.reader.read()).decode()
        except ConnectionResetError:
            return ""


class Served:
    """The running server, its clients, and a route that waits for an event."""

    def __init__(self, prefix: str = "", **given: Any) -> None:
        self.app = install(FastAPI(), {"prefix": prefix}, **given)
        self.events: list[str] = []
        self.go = asyncio.Event()
        self.clients: list[Client] = []
        self._add_routes()
        self.server = Server(self.app, settings(**given))
        self.listener = bind("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self.stopped = asyncio.create_task(self.server._serve([self.listener]))

    def _add_routes(self) -> None:
        @self.app.post("/body")
        async def body(body: list[int]) -> int:
            return len(body)

        @self.app.get("/wait")
        async def wait() -> str:
            self.events.append("waiting")
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.events.append("cancelled")
                raise
            return "done"

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def waiting(self) -> Client:
        """A client whose request is being answered."""
        client, before = await self.connect(), self.events.count("waiting")
        await client.send(b"GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
        await until(lambda: self.events.count("waiting") > before)
        return client

    def draining(self) -> bool:
        """Whether it reports not ready because of a signal."""
        return "draining" in self.app.state.vitals.checks.failing()

    async def stop(self) -> None:
        for client in self.clients:
            client.writer.close()
        self.server.handle_exit(2, None)
        self.server.handle_exit(2, None)
        async with asyncio.timeout(10):
            await self.stopped


@asynccontextmanager
async def serving(**given: Any) -> AsyncIterator[Served]:
    """Serve until the block ends, with the settings that are given."""
    served = Served(**given)
    try:
        await until(lambda: served.server.started)
        async with asyncio.timeout(30):
            yield served
    finally:
        await served.stop()
