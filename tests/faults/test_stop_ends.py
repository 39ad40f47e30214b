"""The stop always ends, whatever hangs: within the drain, the shutdown and 3 s."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from signal import SIGINT, SIGTERM

import pytest

from tests import baking
from tests.faults.servers import Server
from tests.faults.service import Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
DRAIN, SHUTDOWN = 0.5, 1.0
STOPS = {"drain_seconds": DRAIN, "shutdown_seconds": SHUTDOWN, "slow_routes": True}
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@contextmanager
def collector(answer: bytes) -> Iterator[str]:
    """The address of a collector of traces that answers the same, or nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                clients.append(client)
                if answer:
                    client.recv(65_536)
                    client.sendall(answer)

        clients = list[socket.socket]()
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


HANGS = {
    "nothing": [],
    "a stream": ["/stream"],
    "a handler that waits": ["/slow?seconds=60"],
    "a thread that is blocked": ["/blocked"],
    "an event loop that is blocked": ["/stuck?seconds=60"],
    "a background task": ["/behind"],
    "a websocket": ["/socket"],
    "a frozen database with its pool in use": [f"/items?after={n}" for n in range(20)],
    "a pipe that nobody reads": ["/slow?seconds=60"],
    "a collector that is away": ["/slow?seconds=0"] * 5,
    "a collector that hangs": ["/slow?seconds=0"] * 5,
    "a collector that answers 503": ["/slow?seconds=0"] * 5,
}
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(params=HANGS)
def hanging(
    request: pytest.FixtureRequest, start: Start, database: Server
) -> Iterator[tuple[str, Service]]:
    """A service in which something hangs."""
    what = request.param
    options: dict[str, object] = dict(STOPS)
    with ExitStack() as stack:
        if "collector" in what:
            url = "http://127.0.0.1:9"
            if "away" not in what:
                url = stack.enter_context(collector(UNAVAILABLE if "503" in what else b""))
            options["environ"] = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        if "pipe" in what:
            reader, writer = os.pipe()
            stack.callback(os.close, reader)
            options |= {
                "port": baking.free_port(),
                "stdout": stack.enter_context(os.fdopen(writer, "wb")),
            }
        service = start(**options)
        if "database" in what:
            database.freeze()
        for path in HANGS[what]:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
            more = UPGRADE if path == "/socket" else ""
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n".encode())
        time.sleep(0.5)  # so that all of it runs, and hangs
        yield what, service


def test_e20_the_stop_ends_in_its_time(hanging: tuple[str, Service], row: Begin) -> None:
    what, service = hanging
    e20 = row("E20", f"SIGTERM with {what}", "20 to > 100 s")

    signalled = service.signal(SIGTERM)
    status = service.process.wait(60)
    took = time.monotonic() - signalled

    print(status)
    e20.at_most("gone after", took * 1000, (DRAIN + SHUTDOWN + 3) * 1000)


def test_e20_a_second_signal_ends_it_at_once(hanging: tuple[str, Service], row: Begin) -> None:
    what, service = hanging
    e20 = row("E20", f"SIGTERM, then SIGINT, with {what}", "it does nothing")

    service.signal(SIGTERM)
    time.sleep(0.2)  # so that it has begun to stop
    signalled = service.signal(SIGINT)
    service.process.wait(60)

    e20.at_most("gone after", (time.monotonic() - signalled) * 1000, 1_000)
