"""The engine of one application: its parts, built from arguments and put together."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from vitals import docs, openapi, outermost, route_index
from vitals.health import routes as health_routes
from vitals.health.checks import Checks
from vitals.health.event_loop import EventLoop
from vitals.observability import background_tasks, metrics, own_metrics, tracing
from vitals.observability.access_log import AccessLog
from vitals.observability.metric_types import DURATION_BUCKETS
from vitals.observability.middleware import ObservabilityMiddleware
from vitals.observability.observed_request import Answers
from vitals.options import Options
from vitals.request_stats import write_unit
from vitals.security import cors, guard, headers
from vitals.security.callers import Verify
from vitals.security.middleware import build_middleware
from vitals.security.operators import Operators
from vitals.settings import SettingsRefused, redacted
from vitals.status import routes as status_routes
from vitals.status.history import History
from vitals.status.recent_errors import RecentErrors
from vitals.status.reporter import StatusReporter

TRIAL = ("local", "test")  # here everyone passes where tokens are not verified
log = logging.getLogger(__name__)


class Engine:
    """What is installed on an application: `app.state.vitals`, and in each request's scope."""

    def __init__(self, app: FastAPI, options: Options) -> None:
        settings = options.settings
        self.verify = options.verify or _jwt_verify(options)
        self.allows_anonymous = settings.environment in TRIAL
        self.error_response = options.error_response
        self._app, self._options, self._warned = app, options, False
        self._parts = (EventLoop(), *options.dependencies)
        found = [check for part in self._parts for check in part.checks()]
        self.checks = Checks([*found, *options.checks], options.required)
        self._operators = Operators(
            settings.ops_token.get_secret_value(), allow_all=settings.environment == "local"
        )
        about = settings.model_dump(include={"version", "commit", "environment"})
        gauges = [self._operators.counts.copy, *(part.gauges for part in self._parts)]
        self._metrics = metrics.Metrics(about, self.checks.states, gauges)
        self._history = History(self._metrics.series, DURATION_BUCKETS, prefix=options.prefix)
        recent_errors = RecentErrors(options.prefix)
        self._access_log = AccessLog(
            self._metrics, settings.log_format, settings.log_level, recent_errors=recent_errors
        )
        self._reporter = StatusReporter(
            {"name": app.title, **about},
            redacted(settings) if options.own else {},
            self.checks,
            self._history,
            recent_errors,
            sections={"Metrics": own_metrics.values} | dict(options.sections),
            runbook=options.runbook,
        )

    def attach(self) -> None:
        """Put everything on the application. Nothing is opened before it starts."""
        app, options = self._app, self._options
        app.state.vitals = self
        background_tasks.observe()
        if options.own:
            tracing.install(app, options.name)
        if options.problems:
            openapi.install(app, options.error_response)
        if options.security:
            docs.remove(app)
        self._add_routes()
        if options.index:
            route_index.install(app.router)
        outermost.wrap(app, self._observed, answer_errors=options.problems)

    def unguarded(self) -> list[str]:
        """A line for each route that doesn't say who may call it."""
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
        about = {
            "version": settings.version,
            "releaseId": settings.commit,
            "serviceId": options.name,
        }
        guards, prefix = [Depends(self._operators)], options.prefix
        health = health_routes.router(self.checks, about, self._operators.accepts)
        routers = [metrics.router(self._metrics), status_routes.router(self._reporter)]
        routers += [
            dependency.operators_router()
            for dependency in options.dependencies
            if hasattr(dependency, "operators_router")
        ]
        added: list[outermost.Added] = [(health, prefix, [])]
        added += ((router, prefix, guards) for router in routers)
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
        return ObservabilityMiddleware(
            stack,
            outermost.with_lifespan(stack, self._outside, self._inside),
            mark=self,
            answers=Answers(
                self._access_log,
                server_timing=settings.server_timing,
                headers=headers.raw(fixed),
                defaults=headers.raw(defaults),
            ),
            head_as_get=options.own,
            reraise=options.reraise,
        )

    @asynccontextmanager
    async def _outside(self) -> AsyncIterator[None]:
        """What is open before the application's own lifespan starts, and after it ends."""
        write_unit.set(self._access_log.write_unit)  # of what that lifespan lets run
        async with outermost.open_all(self._parts):
            yield

    @asynccontextmanager
    async def _inside(self, _: object) -> AsyncIterator[None]:
        """What happens when it has started: the guard, then the first result of each check."""
        self.refuse_unguarded()
        outermost.install_problems(self._app, every=self._options.problems)  # of late mounts too
        self._metrics.check_gauges()
        async with outermost.open_all((self.checks, self._history)):
            yield


def _jwt_verify(options: Options) -> Verify | None:
    settings = options.settings
    if settings.auth == "off":
        return None
    from vitals.security.jwks import JwksCache
    from vitals.security.tokens import JwtVerifier

    keys = JwksCache(settings.auth_jwks_url, f"{options.name}/{settings.version}")
    about = settings.auth_issuer, settings.auth_audience, options.scopes_claim
    return JwtVerifier(keys, *about).verify
