"""300,000 requests of mixed traffic: what the process holds stays flat after the first 50,000."""

import itertools
import socket
from collections.abc import Callable

import psutil
import pytest

from tests import baking
from tests.faults.client import ask, saturate
from tests.faults.service import OPS_TOKEN, Service

Start = Callable[..., Service]
WARM_UP, REQUESTS = 50_000, 300_000
PATHS = ("/livez", "/items?limit=1", "/items/1", "/nothing/here", "/short", "/livez", "/livez")
ABORTED = 5  # clients of each round that leave in the middle of a stream
MEMORY_MB, SOME = 2, 500  # objects: of the requests that run when it is counted


def abort_streams(port: int) -> None:
    """Begin to read a stream, and reset the connection."""
    for _ in range(ABORTED):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"GET /stream HTTP/1.1\r\nHost: test\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")


def held(service: Service) -> dict[str, float]:
    """Megabytes, objects, descriptors and series of a service at rest."""
    process = psutil.Process(service.process.pid)
    baking.wait_until(lambda: service.metric("http_server_active_requests") == 1, 10)
    objects = float(service.ask("/objects").body)
    series = ask(service.port, "/metrics", token=OPS_TOKEN).body.count(b"\n")
    return {
        "MB": service.rss_mb(),
        "objects": objects,
        "descriptors": process.num_fds(),
        "series": series,
    }


@pytest.mark.long
def test_memory_objects_descriptors_and_series_stay_flat(start: Start) -> None:
    service = start(slow_routes=True)
    answered, paths, first = 0, itertools.cycle(PATHS), dict[str, float]()

    while answered < REQUESTS:
        answered += saturate(service.port, next(paths), 16, 2).total()
        abort_streams(service.port)
        if answered >= WARM_UP and not first:
            first = held(service)
    last = held(service)

    print(f"\nsoak: {answered:,} requests: {first} -> {last}")
    assert service.metric("http_server_open_streams") == 0
    grown = {name: last[name] - first[name] for name in first}
    assert grown["MB"] <= MEMORY_MB
    assert grown["objects"] <= SOME
    assert grown["descriptors"] <= 2  # connections of the pools
    assert grown["series"] <= 3 * 20  # lines: a route may answer with a status that is rare
