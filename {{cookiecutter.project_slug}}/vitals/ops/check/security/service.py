"""Checks of the running service: its routes, their guards, its answers and its log."""

import json
from collections.abc import Iterator

from vitals.ops.check.security import requests
from vitals.ops.check.security.checklist import check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.observe import Answer, Observed

API, CONSUMPTION, NEVER_LOGGED = "OWASP API5:2023", "OWASP API4:2023", "OWASP ASVS 16.2.5"
REST = "OWASP REST Security Cheat Sheet"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=()",
    "Strict-Transport-Security": "max-age=",
}
BOUNDS = {
    "string": ("maxLength", "enum", "const", "format", "contentMediaType"),
    "array": ("maxItems",),
    "integer": ("maximum", "exclusiveMaximum", "enum", "const"),
}
PAGE_SIZES, MAX_PAGE = {"limit", "size", "page_size", "per_page"}, 1000
PROBLEM, HEALTH = "application/problem+json", "application/health+json"


@check(
    "SEC-101",
    "a scope, or PUBLIC",
    "Security(vitals.caller, scopes=[…]), or openapi_extra=vitals.PUBLIC",
    API,
)
def every_route_says_who_may_call_it(seen: Evidence) -> Iterator[str]:
    """Every route says who may call it"""
    yield from seen.service.refused
    for name, operation in seen.service.operations.items():
        if "security" not in operation:
            yield f"{name}: does not say who may call it"


@check("SEC-102", "401", "add the guard to the route's dependencies", API)
def guarded_routes_require_a_token(seen: Evidence) -> Iterator[str]:
    """A guarded route rejects unauthenticated callers"""
    return _answered_otherwise(seen.service, 401, requests.PUBLIC)


@check("SEC-105", "WWW-Authenticate", "send the header with each 401", "RFC 9110, 15.5.2")
def a_401_names_the_scheme(seen: Evidence) -> Iterator[str]:
    """A 401 names the authentication scheme"""
    for answer in seen.service.answers:
        if answer.status == 401 and not answer.header("WWW-Authenticate"):
            yield f"{answer.operation}: 401 without the header"


@check("SEC-106", "403", "compare the token's scopes in the guard", "RFC 6750, 3.1")
def a_token_is_limited_to_its_scopes(seen: Evidence) -> Iterator[str]:
    """A guarded route rejects a token without its scope"""
    return _answered_otherwise(seen.service, 403, requests.ANOTHER_SCOPE)


@check("SEC-108", "401", "let vitals verify the token", "RFC 8725, 3")
def invalid_tokens_are_rejected(seen: Evidence) -> Iterator[str]:
    """A guarded route rejects invalid tokens: unsigned, expired, of another issuer or audience"""
    return _answered_otherwise(seen.service, 401, requests.INVALID)


@check("SEC-207", "none of it", "log types and names, never values", NEVER_LOGGED)
def the_log_holds_no_secret(seen: Evidence) -> Iterator[str]:
    """The log holds no secret, no token, no text of an exception, and nothing that was sent"""
    for place, canary in seen.service.canaries.items():
        if canary in seen.service.log:
            yield f"the log holds the text from: {place}"


@check("SEC-208", "none of it", "answer with rules, never with values", "OWASP ASVS 16.5.1")
def no_answer_holds_a_secret(seen: Evidence) -> Iterator[str]:
    """No answer holds a secret, and no error repeats what was sent"""
    for answer in seen.service.answers:
        text = answer.response.text + str(answer.response.headers.raw)
        for place, canary in seen.service.canaries.items():
            if canary in text and (answer.status >= 400 or place not in ("query", "body")):
                yield f"{answer.operation}: {answer.status} with the text from: {place}"


@check("SEC-301", "the header, once", "leave it to vitals", REST)
def answers_keep_the_security_headers(seen: Evidence) -> Iterator[str]:
    """Every answer has the security headers, and none is weakened"""
    for answer in seen.service.answers:
        for name, expected in HEADERS.items():
            values = answer.response.headers.get_list(name)
            if len(values) != 1 or expected not in values[0]:
                yield f"{answer.operation}: {name}: {', '.join(values) or 'missing'}"


@check("SEC-303", "named sources, and no inline scripts", "move scripts into files", REST)
def answers_have_a_content_policy(seen: Evidence) -> Iterator[str]:
    """Every answer has a Content-Security-Policy that forbids inline scripts"""
    for answer in seen.service.answers:
        policy = _policy(answer)
        scripts = policy.get("script-src", policy.get("default-src", []))
        forbidden = {"*", "'unsafe-inline'", "'unsafe-eval'"} & set(scripts)
        if forbidden or not {"default-src", "frame-ancestors"} <= policy.keys():
            yield f"{answer.operation}: {answer.header('Content-Security-Policy') or 'missing'}"


@check("SEC-307", "no-store or private", "leave Cache-Control to vitals", REST)
def guarded_answers_are_not_shared(seen: Evidence) -> Iterator[str]:
    """No shared cache keeps the answer of a guarded route"""
    for answer in seen.service.answers:
        value = answer.header("Cache-Control")
        shared = "no-store" not in value and "private" not in value
        if shared and answer.operation in seen.service.guarded():
            yield f"{answer.operation}: Cache-Control: {value or 'missing'}"


@check("SEC-313", "no such header", "name origins in APP_CORS_ORIGINS", "OWASP WSTG-CLNT-07")
def foreign_pages_read_nothing(seen: Evidence) -> Iterator[str]:
    """A page of another origin reads no answer and sends no credentials of the browser"""
    for answer in seen.service.answers:
        for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
            if value := answer.header(name):
                yield f"{answer.operation}: {name}: {value}"


@check("SEC-406", f"a bound (of a page: {MAX_PAGE})", "add max_length, or le", CONSUMPTION)
def every_value_is_bounded(seen: Evidence) -> Iterator[str]:
    """Every text, list, whole number and page size that a client sends has a bound"""
    for name, operation in seen.service.operations.items():
        schemas = {p["name"]: p["schema"] for p in operation.get("parameters", ())}
        for size in schemas.keys() & PAGE_SIZES:
            if (most := schemas[size].get("maximum", 0)) > MAX_PAGE:
                yield f"{name}: {size} may be {most}"
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schemas["body"] = content.get("schema", {})
        for place, schema in schemas.items():
            for field in _unbounded(schema, seen.service.description, place):
                yield f"{name}: {field} has no bound"


@check("SEC-415", PROBLEM, "raise vitals.Problem", "RFC 9457")
def errors_have_one_shape(seen: Evidence) -> Iterator[str]:
    """Every error has the one shape"""
    for answer in seen.service.answers:
        kind = answer.header("Content-Type")
        if answer.status >= 400 and kind not in (PROBLEM, HEALTH):
            yield f"{answer.operation}: {answer.status} as {kind or 'nothing'}"


@check("SEC-504", "JSON in each line", "use logging instead of print", "OWASP ASVS 16.4.1")
def every_line_is_json(seen: Evidence) -> Iterator[str]:
    """Every line of the log is JSON"""
    for line in filter(None, seen.service.log.split("\n")):
        try:
            json.loads(line)
        except ValueError:
            yield f"a line of the log begins with {line[:40]!r}"


def _answered_otherwise(service: Observed, status: int, kind: str) -> Iterator[str]:
    guarded = service.guarded()
    for answer in service.answers:
        is_kind = answer.operation in guarded and answer.kind.startswith(kind)
        if is_kind and answer.status != status:
            yield f"{answer.operation} {answer.kind}: {answer.status}"


def _policy(answer: Answer) -> dict[str, list[str]]:
    """The directives of the answer's Content-Security-Policy."""
    parts = (part.split() for part in answer.header("Content-Security-Policy").split(";"))
    return {words[0]: words[1:] for words in parts if words}


def _unbounded(
    schema: requests.Description, description: requests.Description, at: str
) -> Iterator[str]:
    """The fields of a schema that have no bound."""
    schema = requests.resolve(schema, description)
    kind = schema.get("type", "")
    if kind in BOUNDS and not any(bound in schema for bound in BOUNDS[kind]):
        yield at
    inside = [(at, each) for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())]
    inside += [(f"{at}.{name}", field) for name, field in schema.get("properties", {}).items()]
    inside += [(f"{at}[]", schema["items"])] if "items" in schema else []
    for place, each in inside:
        yield from _unbounded(each, description, place)
