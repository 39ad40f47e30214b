"""What does a client see when something fails?

One shape for every error: application/problem+json (RFC 9457) with what failed, what was
expected and whether the very same request may be sent again. Rejected values are never echoed.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.types import Scope

from vitals import request_stats

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")  # RFC 9110, 9.2.2
TITLES = {
    400: "The request is not understood",
    401: "Who are you?",
    403: "This is not allowed",
    404: "This does not exist",
    405: "This method is not offered here",
    408: "The request came too slowly",
    409: "This is not possible now",
    413: "The request is too large",
    415: "This kind of content is not taken",
    422: "The request does not fit",
    429: "Too many requests",
    431: "The headers are too large",
    500: "This is our fault",
    503: "The service can't answer now",
}
KINDS = {422: "validation-failed", 500: "internal-error"}
# What pydantic's words leave open: the type of its finding -> (what is wrong, what was expected).
WORDS = {
    "missing": ("missing", "a value"),
    "extra_forbidden": ("unknown", "only known fields"),
    "json_invalid": ("not valid JSON", "valid JSON"),
}
RULES = {
    "Value error, ": "",
    "Input should be ": "",
    "Decimal input should have": "a number with",
    "String should have": "text with",
    "String should match pattern": "text that matches",
}
BOUNDS = ("greater_than", "less_than")
UNREADABLE = {  # the framework's words -> ours
    "There was an error parsing the body": "the body can't be read; expected JSON in UTF-8, "
    "nested and with numbers no longer than people write",
}
FIELDS = {
    "type": ("string", "the kind of problem: urn:problem:..."),
    "title": ("string", "the same for all problems with this status"),
    "status": ("integer", "that of the answer"),
    "detail": ("string", "what was found, and what was expected"),
    "instance": ("string", "the path that was asked for"),
    "request_id": ("string", "under which the log tells more"),
    "retry_safe": ("boolean", "may the very same request be sent again safely and usefully?"),
}
FAULTS = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": list(FIELDS),
    "properties": {name: {"type": t, "description": told} for name, (t, told) in FIELDS.items()}
    | {"errors": FAULTS},
}
EVERYWHERE = (400, 404, 408, 413, 500, 503)  # what any path may answer


class Problem(Exception):
    """An error that the client is told of. Raise it anywhere below a route.

    `retry_safe` says whether the same request may be sent again safely and usefully; left out,
    it is true for a passing state (408, 429, 503) and an idempotent method.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        expected: str = "",
        retry_safe: bool | None = None,
        retry_after: int = 1,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = f"{detail}; expected {expected}" if expected else detail
        self.retry_safe = retry_safe
        self.headers = dict(headers or {})
        self.errors = errors
        if status in (429, 503):
            self.headers.setdefault("Retry-After", str(retry_after))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI tells of answers with these statuses; the description holds SCHEMA once."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {s: {"description": TITLES[s], "content": content} for s in statuses}


def install(app: FastAPI) -> None:
    """Give every error that a route or the framework raises the one shape."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)


def answer(scope: Scope, problem: Problem) -> Response:
    """The answer to a request; a layer outside the routes sends it by calling it."""
    status, safe = problem.status, problem.retry_safe
    if safe is None:
        safe = status in (408, 429, 503) and scope["method"] in IDEMPOTENT
    phrase = HTTPStatus(status).phrase
    content: dict[str, Any] = {
        "type": "urn:problem:" + KINDS.get(status, phrase.lower().replace(" ", "-")),
        "title": TITLES.get(status, phrase),
        "status": status,
        "detail": problem.detail,
        "instance": scope["path"],
        "request_id": request_stats.request_id(),
        "retry_safe": safe,
    }
    if problem.errors:
        content["errors"] = problem.errors
    return Response(json.dumps(content), status, problem.headers, media_type=MEDIA_TYPE)


async def _problem(request: Request, error: Any) -> Response:
    return answer(request.scope, error)


async def _http_exception(request: Request, error: Any) -> Response:
    details = {404: "there is nothing at this path", 405: f"{request.method} is not offered here"}
    said = str(error.detail)
    detail = details.get(error.status_code, UNREADABLE.get(said, said))
    headers = _allow(request) if error.status_code == 405 else error.headers
    return answer(request.scope, Problem(error.status_code, detail, headers=headers))


def _allow(request: Request) -> dict[str, str]:
    """All methods of a path (RFC 9110, 15.5.6); the framework tells those of one route."""
    path, methods = request.scope["path"], set[str]()
    for route in iter_route_contexts(request.app.routes):
        if (pattern := getattr(route, "path_regex", None)) and pattern.match(path):
            methods |= route.methods or set()
    return {"Allow": ", ".join(sorted(methods))}


async def _validation_error(request: Request, error: Any) -> Response:
    errors = [_field_error(fault) for fault in error.errors()[:MAX_ERRORS]]
    first = errors[0]
    detail = f"{first['field']}: expected {first['expected']}"
    return answer(request.scope, Problem(422, detail, errors=errors))


def _field_error(fault: Mapping[str, Any]) -> dict[str, str]:
    """Name the field, what is wrong and what was expected, never what was sent."""
    field = ".".join(str(part) for part in fault["loc"])[:200]
    kind, rule = fault["type"], fault["msg"]
    for theirs, ours in RULES.items():
        rule = rule.replace(theirs, ours)
    expected = f"a number {rule}" if kind.startswith(BOUNDS) else rule
    problem, expected = WORDS.get(kind, (f"not {rule}", expected))
    return {"field": field, "problem": problem, "expected": expected}
