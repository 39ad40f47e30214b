"""The server on a socket: it keeps connections, limits requests, and drains at SIGTERM.

The engine uses private parts of uvicorn for this, so a new version may break it.
"""

import os
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from vitals.ops.services.serving import Served, serving

LIMITS = {"APP_REQUEST_READ_SECONDS": "0.1", "APP_MAX_HEADER_BYTES": "1024"}


def test_a_connection_is_kept_for_further_requests(service: Served) -> None:
    connection = HTTPConnection(urlsplit(service.url).netloc, timeout=5)
    connection.connect()
    first = connection.sock

    for _ in range(3):
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b'{"status":"pass"}'

    assert connection.sock is first
    connection.close()


@pytest.fixture(scope="module")
def limited(environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The address of a service with low limits."""
    with serving(environment | LIMITS) as service:
        yield "127.0.0.1", urlsplit(service.url).port or 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: a\r\n", 408, id="headers that never end"),
        pytest.param(b"GET /livez HTTP/1.1\r\nA: " + b"a" * 2_000, 431, id="headers too large"),
    ],
)
def test_headers_that_exceed_a_limit_end_the_connection(
    limited: tuple[str, int], sent: bytes, status: int
) -> None:
    with socket.create_connection(limited, timeout=5) as connection:
        connection.sendall(sent)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert received.startswith(b"HTTP/1.1 %d " % status)


def test_at_sigterm_the_service_is_not_ready_but_serves_until_a_second_signal(
    environment: dict[str, str],
) -> None:
    draining = {"status": "fail", "failing": ["draining"]}
    settings = environment | {"APP_DRAIN_SECONDS": "60"}
    with serving(settings) as service, httpx.Client(base_url=service.url) as client:
        assert "connection" not in client.get("/livez").headers

        os.kill(service.program.pid, signal.SIGTERM)
        assert service.program.wait_until(
            lambda: client.get("/readyz").json() == draining, within_seconds=10
        )

        answer = client.get("/livez")
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"

        os.kill(service.program.pid, signal.SIGTERM)
        assert service.program.wait() == 0
