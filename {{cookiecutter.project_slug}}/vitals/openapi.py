"""The API's description: what FastAPI writes, with the error answers that every route can give."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from vitals.problems import MEDIA_TYPE, PHRASES, ErrorResponse

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
EVERYWHERE = (400, 404, 408, 413, 500, 503)  # what any path may answer
MEMBERS = {
    "type": ("string", "the type of problem: urn:problem:..."),
    "title": ("string", "a summary, the same for all problems of this type"),
    "status": ("integer", "the status of the answer"),
    "detail": ("string", "what was found, and what is expected"),
    "instance": ("string", "the path that was asked for"),
    "request_id": ("string", "the id under which the log has more"),
    "retry_safe": ("boolean", "whether the same request may be sent again safely and usefully"),
}
ERRORS = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": list(MEMBERS),
    "properties": {
        name: {"type": kind, "description": text} for name, (kind, text) in MEMBERS.items()
    }
    | {"errors": ERRORS},
}
REF = {"$ref": "#/components/schemas/Problem"}
CONTENT = {MEDIA_TYPE: {"schema": REF}}
FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")  # its 422, which is never sent


def install(app: FastAPI, error_response: ErrorResponse | None = None) -> None:
    """Have `app.openapi()` describe the error answers too."""
    write, content = app.openapi, _content(error_response) if error_response else CONTENT
    app.openapi = lambda: _with_problems(write, content)  # type: ignore[method-assign]


def _content(error_response: ErrorResponse) -> dict[str, Any]:
    """The media type of errors in another shape, and one as an example."""
    errors = [{"field": "body.name", "problem": "missing", "expected": "a value"}]
    texts = {name: text for name, (_, text) in MEMBERS.items()}
    made = error_response(422, texts | {"status": 422, "retry_safe": False, "errors": errors})
    kind = made.headers.get("content-type", "").partition(";")[0]
    return {kind: {"example": json.loads(bytes(made.body))} if kind.endswith("json") else {}}


def _with_problems(write: Callable[[], dict[str, Any]], content: dict[str, Any]) -> dict[str, Any]:
    """Add to the framework's description, in place: it keeps and renews its own."""
    description = write()
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    if "Problem" in schemas:
        return description
    for operations in description.get("paths", {}).values():
        for method, operation in operations.items():
            if method in METHODS:
                _add_problems(operation, content)
    for name in FRAMEWORKS_OWN:
        if f"schemas/{name}'" not in str(description):  # callbacks and webhooks have it still
            schemas.pop(name, None)
    if content is CONTENT:
        schemas["Problem"] = SCHEMA
    return description


def _add_problems(operation: dict[str, Any], content: dict[str, Any]) -> None:
    if operation.get("security") == [{}]:
        operation["security"] = list[Any]()  # the same, in the usual words
    statuses = [*EVERYWHERE]
    statuses += [401, 403] if operation.get("security") else []
    statuses += [415] if "requestBody" in operation else []
    responses = operation.setdefault("responses", {})
    if FRAMEWORKS_OWN[0] in str(responses.get("422")):
        del responses["422"]
    for own in (each.get("content", {}) for each in responses.values()):
        if MEDIA_TYPE in own and content is CONTENT:  # a type of the application's own
            own[MEDIA_TYPE].setdefault("schema", {}).setdefault("allOf", [REF])
    if "parameters" in operation or "requestBody" in operation:
        statuses.append(422)
    for status in sorted(statuses):
        problem = {"description": PHRASES[status], "content": content}
        responses.setdefault(str(status), problem)
