"""Checks of the running service: its routes, their guards, its answers and its log."""

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from vitals.ops.check.security import requests
from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.requests import Operation
from vitals.ops.check.security.samples import SECRET, Schema, longest, resolve

API, CONSUMPTION, NEVER_LOGGED = "OWASP API5:2023", "OWASP API4:2023", "OWASP ASVS 16.2.5"
REST, EXPOSURE = "OWASP REST Security Cheat Sheet", "OWASP API3:2023"
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
PRIVATE = re.compile(r"/(admin|internal|debug|private)\b", re.IGNORECASE)
READING = re.compile(r"[:._-](read|view|list|get)(er)?$|^(read|view|list|get)[:._-]")
HEADERS = {  # what each answer has once, as a pattern
    "X-Content-Type-Options": "nosniff$",
    "X-Frame-Options": "DENY$",
    "Referrer-Policy": "no-referrer$",
    "Permissions-Policy": r"camera=\(\)",
    "Strict-Transport-Security": r"max-age=\d{8}",
    "Content-Security-Policy": r"(?=.*default-src)(?=.*frame-ancestors)"
    r"(?!.*(default|script)-src[^;]*(\*|'unsafe-(inline|eval)'))",
}
CLOSED = r"(?=.*; *secure)(?=.*; *httponly)(?=.*; *samesite=(lax|strict))"
BOUNDS = {
    "string": ("maxLength", "enum", "const", "contentMediaType"),
    "array": ("maxItems",),
    "integer": ("maximum", "exclusiveMaximum", "enum", "const"),
    "number": ("maximum", "exclusiveMaximum", "enum", "const"),
}
SHORT = ("date", "date-time", "time", "duration", "uuid", "ipv4", "ipv6", "email", "binary")
MANY = 100_000  # characters
PAGE_SIZES, MAX_PAGE = {"limit", "size", "page_size", "per_page"}, 1000
PROBLEM, HEALTH = "application/problem+json", "application/health+json"


@check("SEC-101", "a scope, or PUBLIC", "Security(vitals.caller, scopes=[…])", API)
def every_route_says_who_may_call_it(seen: Evidence) -> Findings:
    """Every route says who may call it"""
    for line in seen.service.unguarded:
        place, _, text = line.partition(": ")
        yield place, text


@check("SEC-102", "401, or 403", "let vitals.caller verify the token", "RFC 8725, 3")
def guarded_routes_refuse_invalid_credentials(seen: Evidence) -> Findings:
    """A guarded route rejects callers without a valid token, and any other credentials"""
    return _accepted(seen, requests.PUBLIC, requests.INVALID)


@check("SEC-103", "a scope", "guard it, or accept the finding, as for a login", API)
def changes_are_guarded(seen: Evidence) -> Findings:
    """A route that changes something, or whose path says admin or debug, is not public"""
    for each in seen.service.operations:
        if each.public and (each.method in CHANGING or PRIVATE.search(each.path)):
            yield each.name, "anyone may call it"


@check("SEC-104", "a scope of the same resource, to write", "correct the scope", API)
def scopes_fit(seen: Evidence) -> Findings:
    """A scope is of the same resource as its neighbours', and to change something, one to write"""
    guarded = [each for each in seen.service.operations if not each.public]
    for each in guarded:
        resources = _resources(each)
        near = Counter(r for o in guarded if _folder(o) == _folder(each) for r in _resources(o))
        usual = {resource for resource, n in near.items() if n == max(near.values())}
        if (near and not resources) or (len(near) > 1 and (resources != usual)):
            yield (
                each.name,
                f"{_named(each)}, its neighbours {', '.join(sorted(near.keys() - resources))}",
            )
        if each.method in CHANGING and (not each.scopes or all(map(READING.search, each.scopes))):
            yield f"{each.name} scope", f"{_named(each)} is enough to change something"


@check("SEC-106", "403", "compare the token's scopes in the guard", "RFC 6750, 3.1")
def a_token_is_limited_to_its_scopes(seen: Evidence) -> Findings:
    """A guarded route rejects a token that has all scopes but its own"""
    return _accepted(seen, requests.ANOTHER_SCOPE)


@check("SEC-113", "404", "remove the route; APP_DOCS serves it where it may be", "OWASP API9:2023")
def nothing_describes_the_service(seen: Evidence) -> Findings:
    """Production serves no description of the API, at no path"""
    for answer in seen.service.answers:
        if answer.status < 300 and re.match(r'{"openapi"|(?s:.*)(swagger-ui|redoc)', answer.text):
            yield answer.operation.name, "describes the API"


@check("SEC-207", "none of it", "log types and names, never values", NEVER_LOGGED)
def the_log_holds_no_secret(seen: Evidence) -> Findings:
    """The log holds no secret, no token, no text of an exception, and nothing that was sent"""
    for operation, line in seen.service.log:
        for place in _shown(line, seen.service.canaries):
            yield f"{operation or 'the log'} {place}", f"logs the text from: {place}"


@check("SEC-208", "none of it", "answer with rules, never with values", "OWASP ASVS 16.5.1")
def no_answer_holds_a_secret(seen: Evidence) -> Findings:
    """No answer holds a secret, a file or a traceback, and no error repeats what was sent"""
    for answer in seen.service.answers:
        name, echo = answer.operation.name, {"query", "body"} if answer.status < 400 else set()
        of_operators = answer.kind == requests.FOR_OPERATORS
        known = {**seen.service.canaries, **({} if of_operators else seen.service.internals)}
        for place in _shown(answer.text + str(answer.headers.raw), known):
            if of_operators or place not in echo:
                yield f"{name} {place}", f"{answer.status} with the text from: {place}"


@check("SEC-209", "none", "leave the field out; take secrets in a body or a header", EXPOSURE)
def secrets_have_no_field(seen: Evidence) -> Findings:
    """No answer has a field for a password, secret or key, and no address carries one"""
    for each in seen.service.operations:
        for given in each.parameters:
            if given["in"] in ("path", "query") and SECRET.search(given["name"]):
                yield f"{each.name} {given['name']}", "a secret in the address"
        for status, answer in each.spec.get("responses", {}).items():
            for content in answer.get("content", {}).values() if status < "3" else ():
                for at, field in _fields(content.get("schema", {}), each.schemas, "answer"):
                    if SECRET.search(at) and field.get("type") != "boolean":
                        yield f"{each.name} {at}", "a secret in the answer"
        for name, scheme in each.schemes.items():
            if scheme.get("in") == "query":
                yield f"{each.name} {name}", "a secret in the address"


@check("SEC-301", "the header, once", "leave it to vitals", REST)
def answers_keep_the_security_headers(seen: Evidence) -> Findings:
    """Every answer has the security headers, and none is weakened; no script is inline"""
    for answer in seen.service.answers:
        for name, expected in HEADERS.items():
            values = answer.headers.get_list(name)
            if len(values) != 1 or not re.match(expected, values[0]):
                yield f"{answer.operation.name} {name}", ", ".join(values) or "missing"


@check("SEC-304", "Secure, HttpOnly and SameSite", "set all three", REST)
def cookies_are_closed(seen: Evidence) -> Findings:
    """A cookie is sent over HTTPS only, hidden from scripts, and not sent by other sites"""
    for answer in seen.service.answers:
        for cookie in answer.headers.get_list("Set-Cookie"):
            if not re.search(CLOSED, cookie.lower()):
                yield f"{answer.operation.name} {cookie.partition('=')[0]}", "an open cookie"


@check("SEC-305", "none of it", "escape it; redirect to known addresses only", "OWASP ASVS 1.2.1")
def nothing_sent_is_run_or_followed(seen: Evidence) -> Findings:
    """No page holds markup that was sent, and no redirect leads to an address that was sent"""
    for answer in seen.service.answers:
        sent = [seen.service.canaries[place] for place in ("query", "body")]
        html = "html" in answer.headers.get("Content-Type", "")
        if html and any(f"{each}<i>" in answer.text for each in sent):
            yield f"{answer.operation.name} page", "markup that was sent"
        if answer.headers.get("Location", "").startswith(tuple(f"//{each}" for each in sent)):
            yield f"{answer.operation.name} Location", "an address that was sent"


@check("SEC-307", "no-store or private", "leave Cache-Control to vitals", REST)
def guarded_answers_are_not_shared(seen: Evidence) -> Findings:
    """No shared cache keeps the answer of a guarded route"""
    for answer in seen.service.answers:
        value = answer.headers.get("Cache-Control", "")
        if not answer.operation.public and not re.search("no-store|private", value):
            yield answer.operation.name, f"Cache-Control: {value or 'missing'}"


@check("SEC-313", "no such header", "name origins in APP_CORS_ORIGINS", "OWASP WSTG-CLNT-07")
def foreign_pages_read_nothing(seen: Evidence) -> Findings:
    """A page of another origin reads no answer and sends no credentials of the browser"""
    for answer in seen.service.answers:
        for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
            if value := answer.headers.get(name):
                yield f"{answer.operation.name} {name}", value


@check("SEC-406", f"a bound (of a page: {MAX_PAGE})", "add max_length, or le", CONSUMPTION)
def every_value_is_bounded(seen: Evidence) -> Findings:
    """Every text, list, number, object and page size that a client sends has a bound"""
    for each in seen.service.operations:
        schemas = {given["name"]: given["schema"] for given in each.parameters}
        for size in schemas.keys() & PAGE_SIZES:
            if (most := resolve(schemas[size], each.schemas).get("maximum", 0)) > MAX_PAGE:
                yield f"{each.name} {size}", f"may be {most}"
        for content in each.spec.get("requestBody", {}).get("content", {}).values():
            schemas["body"] = content.get("schema", {})
        for name, schema in schemas.items():
            for at, field in _fields(schema, each.schemas, name):
                if not _bounded(field):
                    yield f"{each.name} {at}", "has no bound"


@check("SEC-415", f"{PROBLEM}; of a 401 WWW-Authenticate", "raise vitals.Problem", "RFC 9457")
def errors_have_one_shape(seen: Evidence) -> Findings:
    """Every error has the one shape, and a 401 names the authentication scheme"""
    for answer in seen.service.answers:
        kind = answer.headers.get("Content-Type", "nothing")
        if answer.status >= 400 and kind not in (PROBLEM, HEALTH):
            yield f"{answer.operation.name} {answer.status}", f"as {kind}"
        if answer.status == 401 and "WWW-Authenticate" not in answer.headers:
            yield f"{answer.operation.name} WWW-Authenticate", "missing"


@check("SEC-504", "JSON in each line", "use logging instead of print", "OWASP ASVS 16.4.1")
def every_line_is_json(seen: Evidence) -> Findings:
    """Every line of the log is JSON"""
    for _, line in seen.service.log:
        try:
            json.loads(line)
        except ValueError:
            yield f"the log {line[:40]!r}", "is no JSON"


def _accepted(seen: Evidence, *kinds: str) -> Findings:
    """The guarded operations that answered such requests otherwise than by a refusal."""
    found: dict[tuple[str, int], list[str]] = {}
    for answer in seen.service.answers:
        is_kind = not answer.operation.public and answer.kind.startswith(kinds)
        if is_kind and answer.status not in (401, 403):
            kind = answer.kind.removeprefix(requests.INVALID)
            found.setdefault((answer.operation.name, answer.status), []).append(kind)
    for (name, status), how in found.items():
        away = ": what the guard asks is away" if status == 503 else ""
        yield f"{name} {', '.join(how)}", f"answered {status}{away}"


def _resources(operation: Operation) -> set[str]:
    return {re.split("[:.]", scope)[0] for scope in operation.scopes}


def _folder(operation: Operation) -> str:
    return operation.path.partition("/{")[0]


def _named(operation: Operation) -> str:
    return ", ".join(sorted(operation.scopes)) or "any valid token"


def _shown(text: str, canaries: Mapping[str, str]) -> Iterator[str]:
    """The canaries that a text holds: as they are, in a URL, in hexadecimal or in Base64."""
    plain = f"{text}\n{unquote(text)}".lower()
    for place, canary in canaries.items():
        codes = (b64encode(b" " * n + canary.encode()).decode()[n + n // 2 : -4] for n in (0, 1, 2))
        forms = (canary.lower(), canary.encode().hex())
        if any(form in plain for form in forms) or any(code in text for code in codes):
            yield place


def _bounded(schema: Schema) -> bool:
    kind = schema.get("type", "")
    if kind == "object":  # a free one
        return not schema.get("additionalProperties") or "maxProperties" in schema
    bounded = schema.get("format") in SHORT or any(b in schema for b in BOUNDS.get(kind, ()))
    return bounded or kind not in BOUNDS or longest(schema.get("pattern", "")) < MANY


def _fields(
    schema: Schema, schemas: Schema, at: str, above: tuple[Schema, ...] = ()
) -> Iterator[tuple[str, Schema]]:
    """Each part of a schema, with where it stands."""
    yield at, (schema := resolve(schema, schemas))
    inside = [(at, each) for key in ("anyOf", "oneOf") for each in schema.get(key, ())]
    inside += [(f"{at}.{name}", field) for name, field in schema.get("properties", {}).items()]
    inside += [(f"{at}[]", schema["items"])] if "items" in schema else []
    for place, each in inside if schema not in above else ():  # a model may hold itself
        yield from _fields(each, schemas, place, (*above, schema))
