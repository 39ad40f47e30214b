"""Traces: a span for each call, and nothing at all without an endpoint."""

import os
import subprocess
import sys

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import vitals
from tests.engine.applications import Lines
from vitals.observability import tracing

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


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


async def test_a_trace_id_is_on_the_line_and_the_query_in_no_span_of_an_applications_own_telemetry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://collector:4318")
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = FastAPI(telemetry={"tracer_provider": provider, "metrics": False, "logs": False})
    vitals.install(app, environment="local")
    lines = Lines(app)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://test"
    ) as client:
        await client.get("/nope?password=hunter2")

    span = exporter.get_finished_spans()[-1]
    assert span.context is not None
    assert lines.last()["trace_id"] == f"{span.context.trace_id:032x}"
    assert "hunter2" not in str(span.attributes)


def test_without_an_endpoint_no_part_of_the_sdk_is_imported() -> None:
    code = (
        "import sys, vitals; from fastapi import FastAPI; from vitals.observability import tracing;"
        "app = FastAPI(); vitals.install(app, vitals.Settings(environment='test'));"
        "assert tracing.OFF.items() <= app._telemetry.items();"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]"
    )
    path = os.pathsep.join(sys.path)

    done = subprocess.run(
        [sys.executable, "-c", code], env={"PATH": "", "PYTHONPATH": path}, check=False
    )

    assert done.returncode == 0


def test_an_endpoint_switches_traces_on_for_all_but_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://collector:4318")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "given")
    app = FastAPI()

    tracing.install(app, "orders-api")

    exclude = app._telemetry["exclude"]
    assert app._telemetry["auto_configure"] is True
    assert app._telemetry["logs"] is False  # they hold messages of exceptions
    assert exclude is not None
    assert exclude({"path": "/readyz"}) is True
    assert exclude({"path": "/items"}) is False
    assert os.environ["OTEL_SERVICE_NAME"] == "given"
