"""Where does it all come together? Start reading here."""

from fastapi import Depends, FastAPI

import app.items.routes
import vitals.docs
import vitals.health.routes
import vitals.status.routes
from app.dependencies import REQUIRED, build_resources, opened
from vitals import problems
from vitals.health.checks import Checks
from vitals.health.event_loop import EventLoop
from vitals.install import build_allows, build_layers, refuse_unguarded
from vitals.observability import metrics, tracing
from vitals.observability.access_log import Recorder
from vitals.security.operators import Operators
from vitals.settings import Settings, shown
from vitals.status.history import History
from vitals.status.recent_errors import Notes
from vitals.status.reporter import Watch

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
        responses=problems.documented(*problems.EVERYWHERE),
        generate_unique_id_function=lambda route: route.name,
    )
    problems.install(service)
    service.include_router(vitals.health.routes.router(checks, about, operators.know))
    service.include_router(app.items.routes.router(resources.items, build_allows(settings)))
    for routes in (
        metrics.router(counted),
        vitals.status.routes.router(watch),
        *resources.operators,
    ):
        service.include_router(routes, dependencies=[Depends(operators)])
    if settings.docs:
        service.include_router(vitals.docs.router(service.openapi))
    refuse_unguarded(service, settings)
    service.state.drain = checks.drain
    return service
