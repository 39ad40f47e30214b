"""What do probes and people get to see of our health?"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from app.errors import Problem
from app.health.checks import Checks, State

HEADERS = {"Cache-Control": "no-store"}
PASS = b'{"status":"pass"}'
METHODS = ["GET", "HEAD"]
PUBLIC: dict[str, Any] = {"security": []}  # every route states who may call it


def router(
    checks: Checks, about: Mapping[str, str], is_operator: Callable[[Request], bool]
) -> APIRouter:
    """The paths /livez, /readyz and /health; `about` tells /health which service this is."""
    routes = APIRouter(tags=["health"])

    @routes.api_route("/livez", methods=METHODS, openapi_extra=PUBLIC)
    async def livez() -> Response:
        """Does the process answer at all? Looks at nothing else, ever."""
        return Response(PASS, media_type="application/json", headers=HEADERS)

    @routes.api_route("/readyz", methods=METHODS, openapi_extra=PUBLIC)
    async def readyz(request: Request) -> Response:
        """May requests be sent here? Names what fails; `?exclude=name` leaves a check out."""
        failing = checks.failing()
        if request.scope["query_string"]:  # a declared parameter costs a third of the answer
            exclude = request.query_params.getlist("exclude")
            _refuse_unknown(exclude, checks.names())
            failing = [name for name in failing if name not in exclude]
        if not failing:
            return Response(PASS, media_type="application/json", headers=HEADERS)
        return _json({"status": "fail", "failing": failing}, 503)

    @routes.api_route("/health", methods=METHODS, openapi_extra=PUBLIC)
    async def health(request: Request) -> Response:
        """How is it? For operators with the reasons and the last changes."""
        states = checks.states()
        statuses = {state.status for state in states}
        status = next((s for s in ("fail", "warn") if s in statuses), "pass")
        shown = _for_operators if is_operator(request) else _for_all
        content: dict[str, Any] = {"ok": status != "fail", "status": status, **about}
        content["checks"] = {state.name: [shown(state)] for state in states}
        if shown is _for_operators:
            content["changes"] = [_change(state) for state in checks.changes()]
        return _json(content, 200 if content["ok"] else 503, "application/health+json")

    return routes


def _json(content: object, status: int, media_type: str = "application/json") -> Response:
    headers = HEADERS | ({"Retry-After": "1"} if status == 503 else {})
    return Response(json.dumps(content), status, headers, media_type)


def _for_all(state: State) -> dict[str, Any]:
    return {"status": state.status}


def _for_operators(state: State) -> dict[str, Any]:
    shown = {
        "status": state.status,
        "required": state.required,
        "since": state.since.isoformat(),
        "last_ok": state.last_ok and state.last_ok.isoformat(),
        "observedValue": round(state.duration_seconds * 1000, 1),
        "observedUnit": "ms",
    }
    return shown | ({"output": state.reason} if state.reason else {})


def _change(state: State) -> dict[str, str]:
    shown = {"since": state.since.isoformat(), "name": state.name, "status": state.status}
    return shown | ({"output": state.reason} if state.reason else {})


def _refuse_unknown(exclude: list[str], known: list[str]) -> None:
    if not set(exclude) <= set(known):
        raise Problem(400, "exclude: no such check", expected="one of " + ", ".join(known))
