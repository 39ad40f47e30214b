"""Clients that misbehave: they don't harm the others."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from tests import baking
from tests.faults.client import Crowd, crowd, crowd_apart, raw
from tests.faults.service import Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
HEAD = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
POST = b"POST /items HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
CHUNK = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
LARGE = {
    "10,000 headers": (HEAD + b"".join(b"x-%d: y\r\n" % n for n in range(10_000)), b"431"),
    "1 MB of headers": (HEAD + b"x: " + b"y" * 1_000_000, b"431"),
    "50 MB of headers": (HEAD + b"x: " + b"y" * 50_000_000, b"431"),
    "100 MB body, declared": (
        POST + b"Content-Length: 100000000\r\n\r\n" + b"x" * 100_000_000,
        b"413",
    ),
    "100 MB body, chunked": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 96, b"413"),
}


@contextmanager
def probed(service: Service) -> Iterator[Crowd]:
    """Call both probes again and again during the block, on separate connections."""

    paths = itertools.cycle(["/readyz", "/livez"])
    with crowd(1, service.port, lambda _: service.ask(next(paths)), pause_seconds=0.02) as probes:
        yield probes


def still_open(service: Service, clients: Sequence[socket.socket]) -> int:
    """The number of clients that the service still has a connection to."""
    ours = {client.getsockname()[1] for client in clients}
    found = psutil.Process(service.process.pid).net_connections(kind="tcp")
    return sum(c.status == "ESTABLISHED" and c.raddr.port in ours for c in found)


def test_r12_slow_clients_are_disconnected(start: Start, row: Begin) -> None:
    r12 = row("R12", "2,000 connections, a byte per second", "2,000 still open")
    service = start(request_read_seconds=5)
    with ExitStack() as stack:
        clients: list[socket.socket] = []
        with probed(service) as probes:
            while len(clients) < 2_000:
                connection = socket.create_connection(("127.0.0.1", service.port))
                clients.append(stack.enter_context(connection))
                time.sleep(0.001)  # they are slow, not a storm
            started = time.monotonic()
            for byte in HEAD[:7]:
                for client in clients:
                    with suppress(OSError):  # it was let go
                        client.send(bytes([byte]))
                time.sleep(1)  # the fault itself: a byte per second
        baking.wait_until(lambda: not still_open(service, clients), 40)
        took = time.monotonic() - started

    r12.at_most("all closed after", took * 1000, 10_000)
    r12.exactly("probes failed", len(probes.failed()), 0)
    r12.at_most("slowest probe", probes.slowest_ms(), 100)


@pytest.mark.parametrize("what", LARGE)
def test_r13_a_request_that_is_too_large_is_refused_before_it_is_stored(
    start: Start, row: Begin, what: str
) -> None:
    r13 = row("R13", what, "200; +210 MB; loop stalled 4 s")
    service = start()
    request, status = LARGE[what]
    raw(service.port, HEAD + b"Connection: close\r\n\r\n")
    before = service.rss_mb()

    with probed(service) as probes:
        answers = [raw(service.port, request) for _ in range(3)]
        baking.wait_until(lambda: len(probes.answers) > 20, 20)

    r13.exactly("answer", {answer[9:12] for answer in answers}, {status})
    r13.at_most("memory", max(0, service.rss_mb() - before), 5, "MB more")
    r13.exactly("probes failed", len(probes.failed()), 0)
    r13.at_most("slowest probe", probes.slowest_ms(), 100)


def test_r14_more_connections_than_descriptors_leave_probes_answered(
    start: Start, row: Begin
) -> None:
    r14 = row("R14", "400 connections, descriptor limit 200", "probes reset")
    service = start(descriptors=200, slow_routes=True)

    with ExitStack() as stack, probed(service) as probes:
        for _ in range(400):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 20))
        baking.wait_until(lambda: len(probes.answers) > 50, 30)

    r14.exactly("probes failed", len(probes.failed()), 0)
    r14.at_most("slowest probe", probes.slowest_ms(), 2_000)
    r14.exactly("a read after it", service.ask("/items?limit=1").status, 200)


def test_r14_more_running_requests_than_connections_leave_probes_answered(
    start: Start, row: Begin
) -> None:
    r14 = row("R14", "400 running requests, descriptor limit 200")
    service = start(descriptors=200, slow_routes=True)

    with (
        probed(service) as probes,
        crowd_apart(400, service.port, "/slow?seconds=1") as statuses,
    ):
        baking.wait_until(lambda: len(probes.answers) > 200, 60)

    r14.exactly("statuses of the load", statuses, {200, 503})
    r14.exactly("probes failed", len(probes.failed()), 0)
    r14.exactly("a read after it", service.ask("/items?limit=1").status, 200)
