"""Clients of the service: one alone, and many at once."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Self

SPAWN = get_context("spawn")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    ms: float

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection that stays open until the server closes it."""

    def __init__(self, port: int, timeout: float = 20) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(
        self, path: str, method: str = "GET", content: object = None, token: str = ""
    ) -> Answer:
        started = time.perf_counter()
        body = None if content is None else json.dumps(content)
        headers = {"Content-Type": "application/json"} if body else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        read = answer.read()
        ms = (time.perf_counter() - started) * 1000
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, read, ms)

    def send(self, path: str) -> None:
        """Send a request without waiting for the answer."""
        self._connection.request("GET", path)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(
    port: int, path: str, method: str = "GET", content: object = None, token: str = ""
) -> Answer:
    """Send one request on its own connection."""
    with Client(port) as client:
        return client.ask(path, method, content, token)


def raw(port: int, data: bytes, wait_seconds: float = 10) -> bytes:
    """Send raw bytes; return what the server sent until it closed."""
    with socket.create_connection(("127.0.0.1", port), wait_seconds) as connection:
        came = bytearray()
        with suppress(OSError):  # refused before all was sent: the answer may be there already
            connection.sendall(data)
        with suppress(ConnectionResetError):  # what came before it counts
            while part := connection.recv(65_536):
                came += part
        return bytes(came)


@dataclass
class Crowd:
    """Clients that repeat the same request, and their results."""

    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def failed(self) -> list[str]:
        """All exceptions, and all answers with a server error."""
        return self.failures + [
            f"{a.status} {a.body[:80]!r}" for a in self.answers if a.status > 499
        ]

    def slowest_ms(self) -> float:
        return max((answer.ms for answer in self.answers), default=0)


@contextmanager
def crowd(
    clients: int, port: int, request: Callable[[Client], Answer], pause_seconds: float = 0
) -> Iterator[Crowd]:
    """Let clients send requests during the block, each on its own connection."""
    result, over = Crowd(), threading.Event()

    def one() -> None:
        with Client(port) as client:
            while not over.is_set():
                try:
                    result.answers.append(request(client))
                except (OSError, http.client.HTTPException) as error:
                    result.failures.append(repr(error))
                over.wait(pause_seconds)

    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield result
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def crowd_apart(clients: int, port: int, path: str) -> Iterator[set[int]]:
    """Let another process send requests; the statuses are complete after the block.

    Many threads in this process would slow down the client that is measured.
    """
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_ask_until_stopped, args=(theirs, clients, port, path))
    process.start()
    statuses: set[int] = set()
    try:
        yield statuses
    finally:
        ours.send("over")
        statuses |= ours.recv()
        process.join()


def _ask_until_stopped(pipe: Connection, clients: int, port: int, path: str) -> None:
    with crowd(clients, port, lambda client: client.ask(path)) as load:
        pipe.recv()
    pipe.send({answer.status for answer in load.answers})


def all_at_once(count: int, request: Callable[[int], Answer]) -> Crowd:
    """Send `count` requests at once, and wait for all answers."""
    result = Crowd()

    def one(number: int) -> None:
        try:
            result.answers.append(request(number))
        except (OSError, http.client.HTTPException) as error:
            result.failures.append(repr(error))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result


class _Repeating(asyncio.Protocol):
    """A connection that asks again as soon as it has the answer."""

    def __init__(self, request: bytes, statuses: Counter[int]) -> None:
        self._request, self._statuses, self._data = request, statuses, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if end and len(body) >= int(length):
            self._statuses[int(head[9:12])] += 1
            self._data = b""
            self.transport.write(self._request)


def saturate(port: int, path: str, connections: int, seconds: float) -> Counter[int]:
    """Ask on so many connections without a pause; return the number of answers by status."""
    statuses = Counter[int]()
    request = f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: _Repeating(request, statuses), "127.0.0.1", port)
            for _ in range(connections)
        ]
        statuses.clear()
        await asyncio.sleep(seconds)  # the load's own length
        for transport, _ in made:
            transport.abort()

    asyncio.run(run())
    return statuses
