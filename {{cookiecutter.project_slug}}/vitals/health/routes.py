"""The paths /livez, /readyz and /health."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from vitals.health.checks import Checks, CheckState
from vitals.problems import Problem
from vitals.security.callers import PUBLIC

PASS = b'{"status":"pass"}'
HEALTH_JSON = "application/health+json"
ANSWERS: dict[int | str, dict[str, Any]] = {  # what OpenAPI can't see
    200: {"content": {HEALTH_JSON: {}}},
    503: {
        "description": "not ready, or a required check fails",
        "content": {"application/json": {}, HEALTH_JSON: {}},
    },
}


def router(
    checks: Checks,
    service: Any,  # of vitals.service, which imports the checks
    about: Mapping[str, str],
    process: Callable[[], Mapping[str, object]],
    is_operator: Callable[[Request], bool],
) -> APIRouter:
    """The health paths: /readyz is about the `checks` of this worker, /health about the service.

    `about` says which service this is, and `process`, to operators, what runs it.
    """
    routes = APIRouter(tags=["health"])

    @routes.get("/livez", openapi_extra=PUBLIC)
    async def livez() -> Response:
        """Whether the process answers at all. Looks at no dependency, ever."""
        return Response(PASS, media_type="application/json")

    @routes.get("/readyz", responses=ANSWERS, openapi_extra=PUBLIC)
    async def readyz(request: Request) -> Response:
        """Whether to send requests here. Names what fails; `?exclude=name` leaves a check out."""
        failing = checks.failing()
        if request.scope["query_string"]:  # a declared parameter costs a third of the answer
            exclude = request.query_params.getlist("exclude")
            if not set(exclude) <= (known := {state.name for state in checks.states()}):
                expected = "one of " + ", ".join(sorted(known))
                raise Problem(400, "exclude: no such check", expected=expected)
            failing = [name for name in failing if name not in exclude]
        if failing == ["draining"] and await service.others_serve():
            failing.clear()
        if not failing:
            return Response(PASS, media_type="application/json")
        return _json({"status": "fail", "failing": failing}, 503)

    @routes.get("/health", responses=ANSWERS, openapi_extra=PUBLIC)
    async def health(request: Request) -> Response:
        """The state of each check; for operators with the reasons and the last changes."""
        known, fully = service.snapshot(), is_operator(request)
        states: list[CheckState] = known.states
        statuses = {state.status for state in states}
        status = next((s for s in ("fail", "warn") if s in statuses), "pass")
        content: dict[str, Any] = {"ok": status != "fail", "status": status, **about}
        content["checks"] = {
            s.name: [s.as_dict() if fully else {"status": s.status}] for s in states
        }
        if fully:
            content["changes"] = [state.as_dict() for state in known.changes]
            content["process"] = process()
        return _json(content, 200 if content["ok"] else 503, HEALTH_JSON)

    return routes


def _json(content: object, status: int, media_type: str = "application/json") -> Response:
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(content, status, headers, media_type)
