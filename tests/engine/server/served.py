"""How does a test talk to the service: without a socket, or on one of its own event loop?"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from vitals import problems
from vitals.security.body_limit import BodyLimit
from vitals.security.request_timeout import Deadlines
from vitals.server.serve import Server, bind
from vitals.settings import Settings


@asynccontextmanager
async def client_of(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service, which is started and stopped; errors come as answers."""
    transport = httpx.ASGITransport(service, raise_app_exceptions=False)
    async with (
        service.router.lifespan_context(service),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


class Client:
    """One connection, and what came back on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def get(self, path: str) -> str:
        """Ask, and read the whole answer; the connection stays open."""
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
    """The running server, its clients, and a route that waits until it is let go."""

    def __init__(self, settings: Settings) -> None:
        self.service = FastAPI()
        self.service.state.drain = lambda: self.told.append("drain")
        self.service.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
        self.service.add_middleware(Deadlines, seconds=settings.request_seconds)
        problems.install(self.service)
        self.told: list[str] = []
        self.go = asyncio.Event()
        self.clients: list[Client] = []
        self._add_routes()
        self.server = Server(self.service, settings)
        self.listener = bind("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self.stopped = asyncio.create_task(self.server._serve([self.listener]))

    def _add_routes(self) -> None:
        @self.service.get("/livez")
        async def livez() -> str:
            return "alive"

        @self.service.post("/body")
        async def body(body: list[int]) -> int:
            return len(body)

        @self.service.get("/wait")
        async def wait() -> str:
            self.told.append("waiting")
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.told.append("undone")
                raise
            return "done"

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def waiting(self) -> Client:
        """A client whose request is being answered."""
        client, before = await self.connect(), self.told.count("waiting")
        await client.send(b"GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
        await until(lambda: self.told.count("waiting") > before)
        return client

    async def stop(self) -> None:
        for client in self.clients:
            client.writer.close()
        self.server.handle_exit(2, None)
        self.server.handle_exit(2, None)
        async with asyncio.timeout(10):
            await self.stopped


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[Served]:
    served = Served(Settings.model_validate({"environment": "test", **settings}))
    try:
        await until(lambda: served.server.started)
        async with asyncio.timeout(30):
            yield served
    finally:
        await served.stop()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, for at most 10 s."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.005)
