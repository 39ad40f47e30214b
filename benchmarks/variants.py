"""The variants that are compared: the same routes doing the same work, each watched in its own way.

A variant is a function that adds its watching to a FastAPI app; it imports what it needs itself.
"""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI

PROJECT = Path(__file__).parent.parent / "{{cookiecutter.project_slug}}"
sys.path.insert(0, str(PROJECT))


class Shape(NamedTuple):
    """How many routes an application has, in how many routers (none: flat), and what is sent."""

    routes: int
    routers: int
    target: str

    def path(self) -> str:
        """The path of the first or last route, or another target."""
        if self.target not in ("first", "last"):
            return f"/{self.target}/7"
        part = self.routes // (self.routers or 1)
        router = f"/part{self.routers - 1 if self.target == 'last' else 0}" if self.routers else ""
        return f"{router}/items{part - 1 if self.target == 'last' else 0}/7"

    def __str__(self) -> str:
        routers = f" in {self.routers} routers" if self.routers else ""
        return f"{self.routes} route{'s' * (self.routes > 1)}{routers}: {self.target}"


SHAPES = [
    *(Shape(1, 0, target) for target in ("first", "cache hit", "statement", "404")),
    *(
        Shape(routes, routers, target)
        for routes, in_routers in ((10, 5), (100, 10), (300, 30))
        for routers in (0, in_routers)
        for target in ("first", "last", "404")
    ),
]
ONE, TEN, LAST, MISSED = (
    Shape(1, 0, "first"),
    Shape(10, 5, "last"),
    Shape(100, 10, "last"),
    Shape(100, 10, "404"),
)
BUSY = Shape(30, 5, "last")  # for requests/s


def with_routes(app: FastAPI, shape: Shape) -> FastAPI:
    """Add the routes; with a single one also those of a cache hit and a statement, behind it."""
    for number in range(shape.routers):
        router = APIRouter(prefix=f"/part{number}")
        for each in range(shape.routes // shape.routers):
            router.get(f"/items{each}/{{item_id}}")(_work)
        app.include_router(router)
    for each in range(0 if shape.routers else shape.routes):
        app.get(f"/items{each}/{{item_id}}")(_work)
    if shape.routes == 1:
        _add_work(app)
    return app


async def _work(item_id: int) -> dict[str, object]:
    return {"id": item_id, "name": "coffee", "price": 12.5}


def _add_work(app: FastAPI) -> None:
    """Routes whose handlers do the same in each variant: ours counts it."""
    from sqlalchemy import create_engine, text

    from vitals.cache import Cache
    from vitals.statements import count_all

    engine, query = create_engine("sqlite://"), text("SELECT 1")
    if hasattr(app.state, "vitals"):
        count_all()
    cached = Cache("mem://", prefix="bench").values("items", int, ttl_seconds=3600)

    async def load() -> int:
        return 12

    @app.get("/cache hit/{item_id}")
    async def hit(item_id: int) -> dict[str, object]:
        return {"id": item_id, "price": await cached.get(item_id, load)}

    @app.get("/statement/{item_id}")
    async def statement(item_id: int) -> dict[str, object]:
        with engine.connect() as connection:
            return {"id": item_id, "price": connection.execute(query).scalar()}


def bare(shape: Shape) -> FastAPI:
    return with_routes(FastAPI(telemetry=NONE), shape)


def as_it_comes(shape: Shape) -> FastAPI:
    """Where OpenTelemetry's API is installed, the framework looks for its providers."""
    return with_routes(FastAPI(), shape)


def installed(shape: Shape, **given: str) -> FastAPI:
    """All that `vitals.install` adds, and the Server-Timing header."""
    import vitals
    from vitals.settings import Settings

    app = FastAPI()
    given = {"APP_ENVIRONMENT": "test", "APP_SERVER_TIMING": "true", **given}
    vitals.install(app, vitals.load(Settings, given))
    return with_routes(app, shape)


def installed_with_traces(shape: Shape) -> FastAPI:
    """The same with the framework's spans as we configure them."""
    from vitals.observability import tracing

    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    config = {**providers(), "operation_spans": False, "logs": False}
    tracing.install = lambda app, *_: tracing.configure_telemetry(app, config)
    return installed(shape)


def instrumentator(shape: Shape) -> FastAPI:
    from prometheus_client import CollectorRegistry
    from prometheus_fastapi_instrumentator import Instrumentator

    app = FastAPI(telemetry=NONE)
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return with_routes(app, shape)


def exporter(shape: Shape) -> FastAPI:
    from starlette_exporter import PrometheusMiddleware

    app = FastAPI(telemetry=NONE)
    app.add_middleware(PrometheusMiddleware, group_paths=True)
    return with_routes(app, shape)


def fastapi_vitals(shape: Shape) -> FastAPI:
    """Its metrics; its tracing is off, as it is without an endpoint."""
    from fastapi_vitals.metrics import setup_metrics

    app = FastAPI(telemetry=NONE)
    setup_metrics(app)
    return with_routes(app, shape)


def fastapi_vitals_with_traces(shape: Shape) -> FastAPI:
    from fastapi_vitals.tracing import setup_tracing, shutdown_tracing

    shutdown_tracing()  # that of the application before
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    app = fastapi_vitals(shape)
    if not setup_tracing(app, exporter_factory=nowhere):
        sys.exit("fastapi-vitals set up no traces; expected them")
    return app


def structlog_and_id(shape: Shape) -> FastAPI:
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
    return with_routes(app, shape)


def nowhere() -> Any:
    """An exporter that throws away what would be sent."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 - the SDK's name
            return SpanExportResult.SUCCESS

    return Nowhere()


def providers() -> dict[str, Any]:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(nowhere()))
    meters = MeterProvider([InMemoryMetricReader()])
    return {"tracer_provider": tracers, "meter_provider": meters, "logs": False}


def own_metrics(shape: Shape) -> FastAPI:
    return with_routes(FastAPI(telemetry=providers() | {"tracing": False}), shape)


def own_telemetry(shape: Shape) -> FastAPI:
    return with_routes(FastAPI(telemetry=providers()), shape)


NONE = {"tracing": False, "metrics": False, "logs": False}
BARE, OURS = "bare FastAPI", "this template, everything on"
VARIANTS: dict[str, Callable[[Shape], FastAPI]] = {
    BARE: bare,
    "`FastAPI()`, its default telemetry": as_it_comes,
    OURS: installed,
    "prometheus-fastapi-instrumentator": instrumentator,
    "starlette-exporter": exporter,
    "fastapi-vitals": fastapi_vitals,
    "FastAPI's own metrics": own_metrics,
    "structlog + asgi-correlation-id": structlog_and_id,
}
TRACED: dict[str, Callable[[Shape], FastAPI]] = {
    "this template, with traces": installed_with_traces,
    "FastAPI's own metrics and traces": own_telemetry,
    "fastapi-vitals, with traces": fastapi_vitals_with_traces,
}


def shapes_of(name: str) -> list[Shape]:
    """What is counted: of others only what their own way to find a route needs."""
    if name in (BARE, OURS):
        return SHAPES
    return [shape for shape in SHAPES if shape.routes in (1, 100)]


def build(name: str, shape: Shape) -> FastAPI:
    """Build a variant. Its lines are formatted and written, to nowhere."""
    os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    return (VARIANTS | TRACED)[name](shape)
