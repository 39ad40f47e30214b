"""Traces: sent to OTEL_EXPORTER_OTLP_ENDPOINT; off without it.

FastAPI's own support makes and sends the spans of requests; here are its configuration and a span
for each call that leaves the process. Metrics are pushed there as well.
"""

import os
from contextlib import suppress
from importlib.util import find_spec
from time import time_ns

from fastapi import FastAPI

from vitals.framework import configure_telemetry
from vitals.probes import POLLED, under

with suppress(ImportError):  # an application without traces
    from opentelemetry import trace

OFF = {"tracing": False, "metrics": False, "logs": False}


def is_on() -> bool:
    """Whether an endpoint for traces is configured, and the packages are there."""
    return bool(find_spec("opentelemetry") and os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def install(app: FastAPI, service: str, prefix: str = "") -> None:
    """Configure the framework's own telemetry; `prefix` is the path before the engine's routes.

    Its log records are left out: they hold messages of exceptions.
    """
    if not is_on():
        configure_telemetry(app, OFF)
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", service)
    polled = under(prefix, POLLED)
    config = {
        "auto_configure": True,
        "exclude": lambda scope: scope.get("path") in polled,
        "operation_spans": False,
        "logs": False,
    }
    configure_telemetry(app, config)


def hide_query() -> None:
    """Empty the query in the request's span: the framework hides a few parameters only."""
    trace.get_current_span().set_attribute("url.query", "")


def trace_id() -> str:
    """The id of the running request's trace, or an empty text."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def add_span(kind: str, ms: float, statement: str) -> None:
    """A span for a call that ends now: its statement, never its parameters."""
    ended = time_ns()
    started = ended - int(ms * 1_000_000)
    attributes = {"db.query.text": statement} if statement else {}
    kinds, tracer = trace.SpanKind, trace.get_tracer("vitals")
    span = tracer.start_span(kind, kind=kinds.CLIENT, attributes=attributes, start_time=started)
    span.end(ended)
