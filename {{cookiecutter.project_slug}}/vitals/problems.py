"""Errors as clients see them: application/problem+json (RFC 9457) in one shape.

Each says what failed, what is valid, and whether the same request may be sent again. A rejected
value is never echoed. A problem type of your own is a subclass (vitals/README.md).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, get_type_hints

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.types import Scope

from vitals import request_stats, validation
from vitals.framework import routes_with_prefixes

MEDIA_TYPE = "application/problem+json"
IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")  # RFC 9110, 9.2.2
NO_BODY = (204, 205, 304)
# The phrases of RFC 9110, 15: Python's own differ between its versions in these four.
PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
TYPES = {422: "validation-failed", 500: "internal-error"}
UNREADABLE = "There was an error parsing the body"  # the framework's words for any such body
READABLE = (
    "the body can't be read; expected JSON in UTF-8, with nesting and numbers of ordinary size"
)
DEFECT = "the service failed; its log has the error under this request_id"

# Builds the response of an error from the status and the members of a problem.
ErrorResponse = Callable[[int, dict[str, Any]], Response]


class Problem(Exception):
    """An error that is sent to the client. Raise it anywhere below a route.

    `retry_safe` says whether the same request may be sent again safely and usefully; left out,
    it is true for a temporary state (408, 429, 503) and an idempotent method. `members` are
    further members of the answer (RFC 9457, 3.2).
    """

    type: ClassVar[str] = ""
    title: ClassVar[str] = ""
    status: int = 0

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
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = f"{detail}; expected {expected}" if expected else detail
        self.retry_safe = retry_safe
        self.headers = dict(headers or {})
        self.members = dict(members or {}) | ({"errors": errors} if errors else {})
        if status in (429, 503):
            self.headers.setdefault("Retry-After", str(retry_after))

    @classmethod
    def responses(cls, *more: Any) -> dict[int | str, dict[str, Any]]:
        """Describe this type, and `more` of them, for the argument `responses` of a route."""
        schemas: dict[int | str, list[dict[str, Any]]] = {}
        for kind in (cls, *more):
            fixed = {"type": kind.type, "title": kind.title, "status": kind.status}
            if not all(fixed.values()):
                raise TypeError(f"{kind.__name__}: set type, title and status to describe it")
            members = {name: {"const": value} for name, value in fixed.items()}
            for name, hint in get_type_hints(kind).items():
                if name not in Problem.__annotations__:
                    members[name] = TypeAdapter(hint).json_schema()
            schema = {"title": kind.title, "properties": members}
            schemas.setdefault(kind.status, []).append(schema)
        content = {status: {MEDIA_TYPE: {"schema": {"anyOf": s}}} for status, s in schemas.items()}
        titles = {status: ", or ".join(x["title"] for x in s) for status, s in schemas.items()}
        return {s: {"description": titles[s], "content": content[s]} for s in schemas}


def install(app: Any, *, only_problems: bool = False) -> None:
    """Answer the errors that routes and the framework raise in the one shape.

    Call it when all is added: a handler of the application's own stays. With `only_problems` the
    framework's errors are answered as before: the engine raises Problem in any application.
    """
    handlers = getattr(app, "exception_handlers", {})  # a mounted router has none
    handlers.setdefault(Problem, _problem)
    if only_problems:
        return
    if handlers.get(HTTPException) in (None, http_exception_handler):
        handlers[HTTPException] = _http_exception
    if handlers.get(RequestValidationError) in (None, request_validation_exception_handler):
        handlers[RequestValidationError] = _validation_error
    if not {500, Exception} & handlers.keys():
        handlers[Exception] = _problem


def answer(scope: Scope, problem: Problem) -> Response:
    """The answer to a request; a layer outside of the routes sends it by calling it."""
    status, safe = problem.status, problem.retry_safe
    if status in NO_BODY:
        return Response(status_code=status, headers=problem.headers)
    if safe is None:
        safe = status in (408, 429, 503) and scope.get("method") in IDEMPOTENT
    phrase = PHRASES.get(status, f"HTTP {status}")
    kind = phrase.lower().replace(" ", "-") if status in PHRASES else f"status-{status}"
    content: dict[str, Any] = {
        "type": problem.type or "urn:problem:" + TYPES.get(status, kind),
        "title": problem.title or phrase,
        "status": status,
        "detail": problem.detail,
        "instance": scope["path"],
        "request_id": request_stats.request_id(),
        "retry_safe": safe,
    }
    content = content | problem.members | content  # none of these is replaced
    if (render := getattr(scope.get("vitals"), "error_response", None)) is not None:
        response: Response = render(status, content)
        response.headers.update(problem.headers)
        return response
    body = json.dumps(content, default=str, allow_nan=False)
    return Response(body, status, problem.headers, media_type=MEDIA_TYPE)


async def _problem(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, Problem) else Problem(500, DEFECT)  # nobody handled it
    return answer(request.scope, known)


async def _http_exception(request: Request, error: Any) -> Response:
    status, said, headers = error.status_code, error.detail, error.headers
    members: dict[str, Any] = {} if isinstance(said, str) else {"data": said}
    if members or not said:
        said = PHRASES.get(status, f"HTTP {status}")
    elif said == UNREADABLE:
        said = READABLE
    if status == 404 and said == PHRASES[404]:
        said = "there is nothing at this path"
    if status == 405:
        headers = {**(headers or {}), "Allow": ", ".join(sorted(_methods(request)))}
        said = f"{request.method} is not offered here" if said == PHRASES[405] else said
    return answer(request.scope, Problem(status, said, headers=headers, members=members))


def _methods(request: Request) -> set[str]:
    """All methods of a path (RFC 9110, 15.5.6); the framework names those of one route."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    methods = set[str]()
    for route in routes_with_prefixes(request.app.routes):
        if (pattern := getattr(route, "path_regex", None)) and pattern.match(path):
            methods |= route.methods or set()
    return methods | ({"HEAD"} if "GET" in methods else set()) or {"GET", "HEAD"}  # of a file


async def _validation_error(request: Request, error: Any) -> Response:
    faults = error.errors()
    whole = [each for each in faults if isinstance(each, dict) and each.get("loc") == ("body",)]
    if any(isinstance(each.get("input"), bytes) for each in whole):
        problem = Problem(415, "the body is not declared as JSON", expected="application/json")
        return answer(request.scope, problem)
    detail, errors = validation.described(faults)
    return answer(request.scope, Problem(422, detail, errors=errors))
