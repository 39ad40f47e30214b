"""The service with real servers: it is healthy, and its traces reach an OTLP receiver."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from vitals.ops.measure import load
from vitals.ops.run import shell
from vitals.ops.services.serving import Served, serving

ROUTES = load.read(shell.ROOT).routes
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SERVER = Span.SpanKind.SPAN_KIND_SERVER


def test_the_service_is_alive_ready_and_healthy(service: Served, client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "pass"}
    assert client.get("/readyz").status_code == 200
    assert service.program.wait_until(  # a busy machine may warn
        lambda: client.get("/health").json()["status"] == "pass", within_seconds=10
    )


class Receiver(BaseHTTPRequestHandler):
    """Collects what is sent to it."""

    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    received: list[tuple[str, bytes]] = []
    handler = type("Handler", (Receiver,), {"received": received})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


@pytest.mark.skipif(not ROUTES, reason=load.NOTHING)
def test_a_request_continues_the_trace_of_its_caller_up_to_the_receiver(
    environment: dict[str, str], receiver: tuple[str, list[tuple[str, bytes]]]
) -> None:
    url, received = receiver
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}

    with serving(environment | traced) as service:
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        httpx.get(service.url + ROUTES[0].request.path, headers=headers)
        httpx.get(f"{service.url}/readyz", headers=headers)
        service.program.stop()
        log = service.log.read_text()

    spans = [span for path, body in received if path == "/v1/traces" for span in _spans(body)]
    (request,) = [span for span in spans if span.kind == SERVER]
    assert request.name == ROUTES[0].name
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    (line,) = [line for line in map(json.loads, log.splitlines()) if line["event"] == "request"]
    assert line["trace_id"] == TRACE


def _spans(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
