"""Where does it all come together? Start reading here."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware import Middleware

import app.health.routes
import app.items.routes
from app import errors
from app.event_loop import EventLoop
from app.health.checks import Checks
from app.observability import metrics
from app.observability.middleware import Visibility
from app.observability.record import Recorder
from app.resources import REQUIRED, Resource, build_resources
from app.security import operators
from app.security.body_limit import BodyLimit
from app.security.deadlines import Deadlines
from app.settings import Settings

SLUG = "{{ cookiecutter.project_slug }}"


def create_app(settings: Settings) -> FastAPI:
    """Build the service. Nothing is opened and nothing listens until it is started."""
    resources = build_resources(settings)
    event_loop = EventLoop()
    checks = Checks([*event_loop.checks(), *resources.checks()], REQUIRED)
    is_operator = operators.recognise(
        settings.ops_token.get_secret_value(), settings.environment == "local"
    )
    about = {"version": settings.version, "releaseId": settings.commit, "serviceId": SLUG}
    outside = (event_loop, *resources.outside)
    running = {"version": settings.version, "commit": settings.commit}
    running |= {"environment": settings.environment}
    counted = metrics.Metrics(running, checks.states, [each.gauges for each in outside])
    recorder = Recorder(counted, settings.log_format, settings.log_level)
    service = FastAPI(
        title="{{ cookiecutter.project_name }}",
        description="{{ cookiecutter.description }}",
        version=settings.version,
        lifespan=lambda _: opened((*outside, checks)),
        middleware=[
            Middleware(Visibility, recorder=recorder, server_timing=settings.server_timing),
            Middleware(Deadlines, seconds=settings.request_seconds),
            Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
        ],
        docs_url="/docs" if settings.docs else None,
        openapi_url="/openapi.json" if settings.docs else None,
        redoc_url=None,
    )
    errors.install(service)
    service.include_router(app.health.routes.router(checks, about, is_operator))
    service.include_router(app.items.routes.router(resources.items))
    service.include_router(metrics.router(counted, operators.guard(is_operator)))
    service.state.drain = checks.drain
    return service


@asynccontextmanager
async def opened(parts: Iterable[Resource | Checks]) -> AsyncIterator[None]:
    """Open what has to be opened, in order; close it in reverse."""
    async with AsyncExitStack() as stack:
        for part in parts:
            await part.open()
            stack.push_async_callback(part.close)
        yield
