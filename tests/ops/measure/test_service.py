"""Measured services: their costs are those that the service itself reports."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from vitals.ops.measure import service as measured
from vitals.ops.measure.load import Request
from vitals.ops.measure.service import Service
from vitals.ops.measure.session import Session
from vitals.ops.measure.vitals import RequestCost
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

READ = Request("GET", "/items")
LINE = {"event": "request", "duration_ms": 1.5, "status": 200, "db_calls": 1, "db_ms": 0.5}


class Server(ThreadingHTTPServer):
    """Logs what it is asked, as the service does, and clears its cache at the second request."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.deleted: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        line = {**LINE, "request_id": self.headers["X-Request-ID"], "cache": "none"}
        with self._logging().log.open("a") as log:
            log.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._answer(200)

    def do_DELETE(self) -> None:
        self._logging().deleted.append(f"{self.path} {self.headers['Authorization']}")
        self._answer(503 if len(self._logging().deleted) == 1 else 200)

    def _logging(self) -> Server:
        assert isinstance(self.server, Server)
        return self.server

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "log").touch()
    with Server(tmp_path / "log") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def service(server: Server, token: str = "ops", caches: bool = False) -> Service:
    client = httpx.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}")
    return Service(client, server.log, token, caches, Session())


def test_the_log_of_a_service_has_the_cost_of_a_measured_request_in_its_log(
    server: Server,
) -> None:
    local = service(server)

    local.send(READ)
    name = local.measure(READ)

    assert local.costs() == {name: RequestCost(1.5, 200, "none", 1, 0.5)}


def test_a_request_that_is_not_in_the_log_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "WAIT_SECONDS", 0)
    local = service(server)
    server.log = tmp_path / "another"
    local.measure(READ)

    with pytest.raises(Refused, match="1 requests are not in the service's log"):
        local.costs()


def test_a_cache_that_is_slow_to_clear_is_cleared_all_the_same(server: Server) -> None:
    service(server, "secret", caches=True).clear_cache(["items"])

    assert server.deleted == ["/cache/items Bearer secret"] * 2


def test_a_cache_that_cannot_be_cleared_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "WAIT_SECONDS", -1)

    with pytest.raises(Refused, match="DELETE /cache/items was answered 503"):
        service(server, caches=True).clear_cache(["items"])


def test_a_closed_port_is_refused(tmp_path: Path) -> None:
    client = httpx.Client(base_url=f"http://127.0.0.1:{shell.free_port()}")

    with pytest.raises(Refused, match="no answer to GET /items"):
        Service(client, tmp_path, "ops", False, Session()).send(READ)


def test_a_connection_that_was_closed_meanwhile_is_opened_again(server: Server) -> None:
    """The server of this test closes after each answer."""
    local = service(server)

    assert [local.send(READ) for _ in range(2)] == [200, 200]
