"""The variants that are compared: the same routes doing the same work, each watched in its own way.

A variant is a function that adds its watching to a FastAPI app; it imports what it needs itself.
"""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

PROJECT = Path(__file__).parent.parent / "{{cookiecutter.project_slug}}"
sys.path.insert(0, str(PROJECT))


def with_routes(app: FastAPI, routes: int) -> FastAPI:
    """Add that many routes; the last is the one that is asked."""
    router = APIRouter()
    for number in range(routes):
        router.get(f"/items{number}/{{item_id}}", name=f"items{number}")(_work)
    app.router.routes.extend(router.routes)
    return app


async def _work(item_id: int) -> dict[str, object]:
    return {"id": item_id, "name": "coffee", "price": 12.5}


def bare(routes: int) -> FastAPI:
    return with_routes(FastAPI(telemetry=NONE), routes)


def visibility(routes: int) -> FastAPI:
    """The engine's visibility: stats, id, log line, metrics and Server-Timing."""
    from vitals import outermost
    from vitals.observability.access_log import AccessLog
    from vitals.observability.metrics import Metrics
    from vitals.observability.middleware import ObservabilityMiddleware
    from vitals.observability.observed_request import Answers

    access_log = AccessLog(Metrics({}, list, []), "json", "info")

    def observed(stack: Any) -> Any:
        return ObservabilityMiddleware(stack, stack, None, Answers(access_log, server_timing=True))

    app = with_routes(FastAPI(telemetry=NONE), routes)
    outermost.wrap(app, observed, answer_errors=True)
    return app


def layers(routes: int) -> FastAPI:
    """The engine's middleware, all of it: security headers, limits, time-outs too."""
    from vitals import outermost
    from vitals.observability.access_log import AccessLog
    from vitals.observability.metrics import Metrics
    from vitals.observability.middleware import ObservabilityMiddleware
    from vitals.observability.observed_request import Answers
    from vitals.security import headers
    from vitals.security.middleware import build_middleware
    from vitals.settings import Settings, load

    settings = load(Settings, {"APP_ENVIRONMENT": "test", "APP_SERVER_TIMING": "true"})
    access_log = AccessLog(Metrics({}, list, []), "json", "info")

    def observed(stack: Any) -> Any:
        return ObservabilityMiddleware(
            build_middleware(stack, settings),
            stack,
            None,
            Answers(
                access_log,
                server_timing=True,
                headers=headers.raw(headers.FIXED),
                defaults=headers.raw(headers.DEFAULTS),
            ),
            head_as_get=True,
            reraise=False,
        )

    app = with_routes(FastAPI(telemetry=NONE), routes)
    outermost.wrap(app, observed, answer_errors=True)
    return app


def pass_through(routes: int) -> FastAPI:
    """A layer that does nothing: the least that any can cost."""

    class PassThrough:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    app = FastAPI(telemetry=NONE)
    app.add_middleware(PassThrough)
    return with_routes(app, routes)


def instrumentator(routes: int) -> FastAPI:
    from prometheus_client import CollectorRegistry
    from prometheus_fastapi_instrumentator import Instrumentator

    app = FastAPI(telemetry=NONE)
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return with_routes(app, routes)


def exporter(routes: int) -> FastAPI:
    from starlette_exporter import PrometheusMiddleware

    app = FastAPI(telemetry=NONE)
    app.add_middleware(PrometheusMiddleware, group_paths=True)
    return with_routes(app, routes)


def fastapi_vitals(routes: int) -> FastAPI:
    """Its metrics; its tracing is off, as it is without an endpoint."""
    from fastapi_vitals.metrics import setup_metrics

    app = FastAPI(telemetry=NONE)
    setup_metrics(app)
    return with_routes(app, routes)


def structlog_and_id(routes: int) -> FastAPI:
    """A structured line and a request id, as the two projects' own pages wire them."""
    import time

    import structlog
    from asgi_correlation_id import CorrelationIdMiddleware, correlation_id

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    access = logging.getLogger("access")
    access.handlers, access.propagate = [logging.StreamHandler(sys.stdout)], False
    access.setLevel(logging.INFO)
    log = structlog.stdlib.get_logger("access")
    app = FastAPI(telemetry=NONE)

    @app.middleware("http")
    async def write_line(request: Any, call_next: Any) -> Any:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=correlation_id.get())
        started = time.perf_counter_ns()
        response = await call_next(request)
        log.info(
            "request",
            method=request.method,
            path=request.url.path,
            status=response.status_code,
            duration_ns=time.perf_counter_ns() - started,
        )
        return response

    app.add_middleware(CorrelationIdMiddleware)
    return with_routes(app, routes)


def opentelemetry(routes: int) -> FastAPI:
    """FastAPI's own support with the SDK's providers; what would be sent is thrown away."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 - the SDK's name
            return SpanExportResult.SUCCESS

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Nowhere()))
    meters = MeterProvider([InMemoryMetricReader()])
    providers = {"tracer_provider": tracers, "meter_provider": meters, "logs": False}
    return with_routes(FastAPI(telemetry=providers), routes)


NONE = {"tracing": False, "metrics": False, "logs": False}
VARIANTS: dict[str, Callable[[int], FastAPI]] = {
    "bare FastAPI": bare,
    "a layer that does nothing": pass_through,
    "this template: visibility": visibility,
    "this template: all layers": layers,
    "prometheus-fastapi-instrumentator": instrumentator,
    "starlette-exporter": exporter,
    "fastapi-vitals": fastapi_vitals,
    "structlog + asgi-correlation-id": structlog_and_id,
    "FastAPI's native OpenTelemetry": opentelemetry,
}


def build(name: str, routes: int) -> FastAPI:
    """Build a variant. Its lines are formatted and written, to nowhere."""
    os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    return VARIANTS[name](routes)
