"""Does a call become a span, and does nothing happen unless it is wanted?"""

import subprocess
import sys

import httpx
import pytest
from fastapi import FastAPI
from fastapi.middleware import Middleware
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.unit.observability.conftest import Lines, told
from vitals.observability import tracing
from vitals.observability.access_log import Recorder
from vitals.observability.metrics import Metrics
from vitals.observability.middleware import Visibility


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def test_a_call_is_a_span_with_its_statement_and_its_time(exported: InMemorySpanExporter) -> None:
    tracing.add_span("db", 250, "SELECT name FROM items WHERE id = ?")

    (span,) = exported.get_finished_spans()
    assert (span.name, dict(span.attributes or {})) == (
        "db",
        {"db.query.text": "SELECT name FROM items WHERE id = ?"},
    )
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time == 250_000_000


async def test_a_trace_is_told_on_the_line_and_holds_no_query(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    lines = Lines()
    recorder = Recorder(Metrics({}, list, []), "json", "info", write=lines.append)
    service = FastAPI(
        telemetry={"tracer_provider": provider, "metrics": False, "logs": False},
        middleware=[Middleware(Visibility, recorder=recorder, server_timing=False)],
    )

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=service), base_url="http://test"
    ) as client:
        await client.get("/nope?password=hunter2")

    span = exporter.get_finished_spans()[-1]
    assert span.context is not None
    assert told(lines)["trace_id"] == f"{span.context.trace_id:032x}"
    assert "hunter2" not in str(span.attributes)


def test_without_an_endpoint_no_part_of_the_sdk_is_imported() -> None:
    code = (
        "import sys; from vitals.observability import middleware, tracing;"
        "assert tracing.telemetry('x') == tracing.OFF;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]"
    )

    done = subprocess.run([sys.executable, "-c", code], env={"PATH": ""}, check=False)

    assert done.returncode == 0


def test_an_endpoint_switches_traces_on_for_all_but_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "given")

    told = tracing.telemetry("orders-api")

    exclude = told["exclude"]
    assert told["auto_configure"] is True
    assert exclude is not None
    assert exclude({"path": "/readyz"}) is True
    assert exclude({"path": "/items"}) is False
