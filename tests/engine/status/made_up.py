"""A status page of a service that a test makes up."""

from collections.abc import Mapping, Sequence

from fastapi import Depends, FastAPI

from tests.engine.status.counted import Counted
from vitals import problems
from vitals.health.checks import Checks, CheckState
from vitals.security.operators import Operators
from vitals.status import routes
from vitals.status.reporter import Section, StatusReporter

TOKEN = "a-token-for-operators"


class Known(Checks):
    """Checks with the given states."""

    def __init__(self, states: Sequence[CheckState]) -> None:
        self.known = list(states)

    def states(self) -> list[CheckState]:
        return self.known

    def changes(self) -> list[CheckState]:
        return self.known


class MadeUp:
    """The parts that a status page reports, filled by hand."""

    def __init__(
        self,
        *states: CheckState,
        settings: Mapping[str, str] | None = None,
        sections: Mapping[str, Section] | None = None,
        runbook: str = "RUNBOOK.md",
        **gauges: float,
    ) -> None:
        self.checks = Known(states)
        self.counted = Counted(gauges=gauges, checks=self.checks)
        self.recent_errors = self.counted.recent_errors
        self.reporter = StatusReporter(
            about={"name": "Orders & <more>", "version": "v1.2.0"},
            settings=settings or {},
            service=self.counted.service,
            history=self.counted.history,
            sections=sections or {},
            runbook=runbook,
        )

    def app(self, prefix: str = "", *, allow_all: bool = True) -> FastAPI:
        app = FastAPI()
        problems.install(app)
        guard = Depends(Operators(TOKEN, allow_all=allow_all))
        app.include_router(routes.router(self.reporter), prefix=prefix, dependencies=[guard])
        return app
