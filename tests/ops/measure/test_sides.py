"""Does a side tell what the service itself says?"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from vitals.ops.measure import sides
from vitals.ops.measure.load import Connection, Request
from vitals.ops.measure.sides import Elsewhere, Started
from vitals.ops.measure.vitals import Cost
from vitals.ops.run.steps import Refused

READ = Request("GET", "/items")
LINE = {"event": "request", "duration_ms": 1.5, "status": 200, "db_calls": 1, "db_ms": 0.5}


class Service(ThreadingHTTPServer):
    """Logs what it is asked, as the service does, and clears its cache at the second request."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.deleted: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        line = {**LINE, "request_id": self.headers["X-Request-ID"], "cache": "none"}
        with self._service().log.open("a") as log:
            log.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._answer(200)

    def do_DELETE(self) -> None:
        self._service().deleted.append(f"{self.path} {self.headers['Authorization']}")
        self._answer(503 if len(self._service().deleted) == 1 else 200)

    def _service(self) -> Service:
        assert isinstance(self.server, Service)
        return self.server

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Server-Timing", 'app;dur=1.5, db;dur=0.5;desc="1 calls"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "log").touch()
    with Service(tmp_path / "log") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def connection(service: Service) -> Connection:
    return Connection(f"http://127.0.0.1:{service.server_address[1]}", {})


def test_a_started_service_tells_in_its_log_what_a_measured_request_cost(service: Service) -> None:
    side = Started(connection(service), service.log, "", caches=False)

    side.ask(READ)
    name = side.measured(READ)

    assert side.costs() == {name: Cost(1.5, 200, "none", 1, 0.5)}


def test_a_request_that_the_log_does_not_tell_of_is_refused(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides, "LOG_SECONDS", 0)
    (tmp_path / "empty").touch()
    side = Started(connection(service), tmp_path / "empty", "", caches=False)
    side.measured(READ)

    with pytest.raises(Refused, match="1 requests are not in the service's log"):
        side.costs()


def test_a_cache_that_is_slow_to_clear_is_cleared_all_the_same(service: Service) -> None:
    Started(connection(service), service.log, "secret", caches=True).forget(["items"])

    assert service.deleted == ["/cache/items Bearer secret"] * 2


def test_a_cache_that_cannot_be_cleared_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides, "CLEAR_SECONDS", -1)

    with pytest.raises(Refused, match="DELETE /cache/items was answered 503"):
        Started(connection(service), service.log, "", caches=True).forget(["items"])


def test_a_service_elsewhere_tells_in_a_header_and_nothing_of_it_is_cleared(
    service: Service,
) -> None:
    side = Elsewhere(connection(service))

    side.forget(["items"])
    name = side.measured(READ)

    assert side.costs() == {name: Cost(1.5, 200, "none", 1, 0.5)}
    assert service.deleted == []
