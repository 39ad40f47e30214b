"""The engine of one application: its parts, built from arguments and put together."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from vitals import docs, drain, openapi, outermost, route_index
from vitals.health import routes as health_routes
from vitals.health.checks import Checks
from vitals.health.event_loop import EventLoop
from vitals.observability import background_tasks, stacks, tracing
from vitals.observability.access_log import AccessLog
from vitals.observability.metrics import Metrics
from vitals.observability.middleware import ObservabilityMiddleware
from vitals.observability.observed_request import Answers
from vitals.observability.recent_errors import RecentErrors
from vitals.observability.route_label import Templates
from vitals.options import Options
from vitals.probes import PROBES, under
from vitals.request_stats import write_unit
from vitals.security import cors, guard, headers
from vitals.security.middleware import build_middleware
from vitals.security.operators import Operators
from vitals.service import Service
from vitals.settings import SettingsRefused, redacted
from vitals.status import routes as status_routes
from vitals.status.history import History
from vitals.status.reporter import StatusReporter

TRIAL = ("local", "test")  # here everyone passes where tokens are not verified
log = logging.getLogger(__name__)


class Engine:
    """What is installed on an application: `app.state.vitals`, and in each request's scope."""

    def __init__(self, app: FastAPI, options: Options) -> None:
        settings = options.settings
        self.verify = options.verify or options.jwt_verify()
        self.allows_anonymous = settings.environment in TRIAL
        self.error_response = options.error_response
        self._app, self._options, self._warned = app, options, False
        self.probes = under(options.prefix, PROBES)
        self._drain: drain.Drain | None = None  # in a lifespan
        self._event_loop = EventLoop()
        self._parts = (self._event_loop, *options.dependencies)
        found = [check for part in self._parts for check in part.checks()]
        self.checks = Checks([*found, *options.checks], options.required)
        self._operators = Operators(
            settings.ops_token.get_secret_value(), allow_all=settings.environment == "local"
        )
        about = settings.model_dump(include={"version", "commit", "environment"})
        gauges = [self._operators.counts.copy, *(part.gauges for part in self._parts)]
        self._metrics = Metrics(about, self.checks.states, gauges)
        recent_errors = RecentErrors(options.prefix)
        self.service = Service(options.folder, self._metrics, self.checks, recent_errors)
        self._history = History(self.service, options.prefix)
        self._access_log = AccessLog(
            self._metrics, settings.log_format, settings.log_level, recent_errors, options.prefix
        )
        self._reporter = StatusReporter(
            {"name": app.title, **about},
            redacted(settings) if options.own else {},
            self.service,
            self._history,
            sections={"Metrics": self.service.own_metrics} | dict(options.sections),
            runbook=options.runbook,
        )

    def attach(self) -> None:
        """Put everything on the application. Nothing is opened before it starts."""
        app, options = self._app, self._options
        app.state.vitals = self
        background_tasks.observe()
        if options.own:
            tracing.install(app, options.name, options.prefix)
        if options.problems:
            openapi.install(app, options.error_response)
        if options.security:
            docs.remove(app)
        self._add_routes()
        if options.index:
            route_index.install(app.router)
        outermost.wrap(app, self._observed, answer_errors=options.problems)

    @cached_property
    def templates(self) -> Templates:
        """Templates of the routes, made at the first request that needs one."""
        return Templates(self._app)

    def unguarded(self) -> list[str]:
        return [*guard.unguarded(self._app, self._options.guards, self._options.public)]

    def refuse_unguarded(self) -> None:
        """Raise SettingsRefused for the routes that don't say who may call them.

        In local and test they work, and one line of the log names them.
        """
        options = self._options
        if not options.guard:
            return
        faults = self.unguarded()
        if options.settings.environment in TRIAL:
            if faults and not self._warned:
                self._warned = True  # the server asks before it listens, the lifespan again
                log.warning("staging and production would not start: %s", "; ".join(faults))
            return
        if self.verify is None:
            faults += [
                f"APP_AUTH: off, but {name} requires a token. Fix: APP_AUTH=jwt"
                for name in guard.requires_a_token(self._app)
            ]
        if faults:
            raise SettingsRefused(faults)

    def _add_routes(self) -> None:
        options, settings = self._options, self._options.settings
        guards, prefix, name = [Depends(self._operators)], options.prefix, options.name
        about = {"version": settings.version, "releaseId": settings.commit, "serviceId": name}
        health = health_routes.router(
            self.checks, self.service, about, self._process, self._operators.accepts
        )
        added: list[outermost.Added] = [(health, prefix, [])]
        added += [(status_routes.router(self._reporter), prefix, guards)]
        added += [
            (dependency.operators_router(), prefix, guards)
            for dependency in options.dependencies
            if hasattr(dependency, "operators_router")
        ]
        if options.security and settings.docs:
            added.append((docs.router(self._app), "", []))
        outermost.add_routes(self._app, added)

    def _observed(self, stack: ASGIApp) -> ASGIApp:
        """The application's stack with the engine's middleware around it."""
        options, settings = self._options, self._options.settings
        fixed: dict[str, str] = {}
        defaults: dict[str, str] = {}
        if options.security:
            stack = build_middleware(stack, settings, options.prefix)
            https = headers.HTTPS_ONLY if settings.environment != "local" else {}
            vary = cors.VARY if settings.cors_origins else {}
            fixed, defaults = headers.FIXED | https | vary, headers.DEFAULTS
        self._answers = Answers(
            self._access_log,
            server_timing=settings.server_timing,
            headers=headers.raw(fixed),
            defaults=headers.raw(defaults),
        )
        return ObservabilityMiddleware(
            stack,
            outermost.with_lifespan(stack, self._outside, self._inside),
            mark=self,
            answers=self._answers,
            head_as_get=options.own,
            reraise=options.reraise,
        )

    @asynccontextmanager
    async def _outside(self) -> AsyncIterator[None]:
        """What is open before the application's own lifespan starts, and after it ends."""
        write_unit.set(self._access_log.write_unit)  # of what that lifespan lets run
        with stacks.on_signal(asyncio.get_running_loop()) as self._event_loop.dumps_stacks:
            async with outermost.open_dependencies((self.service, *self._parts)):
                self._access_log.prepared.clear()  # the service counts elsewhere from now on
                yield

    @asynccontextmanager
    async def _inside(self, _: object) -> AsyncIterator[None]:
        """What happens when it has started: the guard, then the first result of each check."""
        self.refuse_unguarded()
        outermost.install_problems(self._app, every=self._options.problems)  # of late mounts too
        self._metrics.check_gauges()
        self._drain = drain.Drain(self._options.settings.drain_seconds, self.begin_drain)
        try:
            async with outermost.open_dependencies((self.checks, self._history)):
                self.service.publish()
                yield
        finally:
            self._drain.remove()

    def begin_drain(self) -> None:
        """Report not ready, and have clients connect anew, while requests are still answered."""
        self.checks.drain()
        self._answers.close_connections()
        self.service.publish()

    def _process(self) -> dict[str, object]:
        return {**drain.about(self._drain), **self.service.about()}
