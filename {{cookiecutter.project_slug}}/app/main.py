"""Where does it all come together? Start reading here."""

from fastapi import Depends, FastAPI

import app.docs
import app.health.routes
import app.items.routes
import app.status.routes
from app import errors
from app.event_loop import EventLoop
from app.health.checks import Checks
from app.layers import build_allows, build_layers, refuse_unguarded
from app.observability import metrics, tracing
from app.observability.record import Recorder
from app.resources import REQUIRED, build_resources, opened
from app.security.operators import Operators
from app.settings import Settings, shown
from app.status.history import History
from app.status.notes import Notes
from app.status.snapshot import Watch

NAME = "{{ cookiecutter.project_name }}"
SLUG = "{{ cookiecutter.project_slug }}"


def create_app(settings: Settings) -> FastAPI:
    """Build the service. Nothing is opened and nothing listens until it is started."""
    resources = build_resources(settings)
    event_loop = EventLoop()
    checks = Checks([*event_loop.checks(), *resources.checks()], REQUIRED)
    ops_token = settings.ops_token.get_secret_value()
    operators = Operators(ops_token, everybody=settings.environment == "local")
    about = {"version": settings.version, "releaseId": settings.commit, "serviceId": SLUG}
    outside = (event_loop, *resources.outside)
    running = settings.model_dump(include={"version", "commit", "environment"})
    counted = metrics.Metrics(running, checks.states, [each.gauges for each in outside])
    history, notes = History(counted.series, metrics.SECONDS), Notes()
    recorder = Recorder(counted, settings.log_format, settings.log_level, notes=notes)
    watch = Watch({"name": NAME, **running}, shown(settings), checks, history, notes)
    service = FastAPI(
        title=NAME,
        description="{{ cookiecutter.description }}",
        version=settings.version,
        lifespan=lambda _: opened((*outside, checks, history)),
        middleware=build_layers(settings, recorder, app.items.routes.UPLOADS),
        telemetry=tracing.telemetry(SLUG),
        openapi_url=None,
        responses=errors.documented(*errors.EVERYWHERE),
        generate_unique_id_function=lambda route: route.name,
    )
    errors.install(service)
    service.include_router(app.health.routes.router(checks, about, operators.know))
    service.include_router(app.items.routes.router(resources.items, build_allows(settings)))
    for routes in (metrics.router(counted), app.status.routes.router(watch), *resources.operators):
        service.include_router(routes, dependencies=[Depends(operators)])
    if settings.docs:
        service.include_router(app.docs.router(service.openapi))
    refuse_unguarded(service, settings)
    service.state.drain = checks.drain
    return service
