"""The service with real servers: it is healthy, and its traces reach an OTLP receiver."""

import json

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.conftest import Impaired
from vitals.ops.measure import load
from vitals.ops.run import shell
from vitals.ops.services.serving import Served

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


@pytest.mark.skipif(not ROUTES, reason=load.NOTHING)
def test_a_request_continues_the_trace_of_its_caller_up_to_the_receiver(impaired: Impaired) -> None:
    url, log = impaired.service.url, impaired.service.log
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    httpx.get(url + ROUTES[0].request.path, headers=headers)
    httpx.get(f"{url}/readyz", headers=headers)

    def spans() -> list[Span]:
        return [s for path, body in impaired.received if path == "/v1/traces" for s in _spans(body)]

    def has_arrived() -> bool:
        roots = (span.trace_id.hex() for span in spans() if span.kind == SERVER)
        return TRACE in roots and TRACE in log.read_text()

    assert impaired.service.program.wait_until(has_arrived, within_seconds=10)
    requests = {span.trace_id.hex(): span for span in spans() if span.kind == SERVER}
    assert requests[TRACE].name == ROUTES[0].name
    assert requests[TRACE].parent_span_id.hex() == CALLER
    assert {span.trace_id.hex() for span in spans()} == requests.keys()
    assert not any("/readyz" in span.name for span in spans())
    lines = [json.loads(line) for line in log.read_text().splitlines() if TRACE in line]
    assert [line["event"] for line in lines] == ["request"]


def _spans(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
