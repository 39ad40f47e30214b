"""Checks of the running service: its routes, their guards, its answers and its log."""

import json
import re
from collections import Counter
from pathlib import Path

from vitals.ops.check.security import requests
from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.observe import HEALTH, PROBLEM, canaries_in
from vitals.ops.check.security.operations import Operation
from vitals.ops.check.security.schemas import SECRET, fields, is_bounded

API, CONSUMPTION, NEVER_LOGGED = "OWASP API5:2023", "OWASP API4:2023", "OWASP ASVS 16.2.5"
REST, EXPOSURE = "OWASP REST Security Cheat Sheet", "OWASP API3:2023"
GUARD = 'dependencies=[Security(vitals.caller, scopes=["…"])], or openapi_extra=vitals.PUBLIC; '
GUARD += 'for a mount public=["/its/path"] in vitals.install'
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
PRIVATE = re.compile(r"/(admin|internal|debug|private)\b", re.IGNORECASE)
READING = re.compile(r"\b(read|view|list|get)(er)?\b", re.IGNORECASE)
ACTION = re.compile("read|view|list|get|write|create|update|edit|delete|manage|admin")
TOKEN = re.compile(r"((access|auth|refresh|id|session)_?)?token", re.IGNORECASE)
ONCE = {  # the headers that each answer has once
    "X-Content-Type-Options": "nosniff$",
    "X-Frame-Options": "DENY$",
    "Referrer-Policy": "no-referrer$",
    "Permissions-Policy": r"camera=\(\)",
    "Strict-Transport-Security": r"max-age=\d{8}",
    "Content-Security-Policy": r"(?=.*default-src)(?=.*frame-ancestors)"
    r"(?!.*(default|script)-src[^;]*(\*|'unsafe-(inline|eval)'))(?!.*frame-ancestors[^;]*\*)",
}
IF_SENT = {  # the headers that an answer may have
    "Set-Cookie": "(?i)(?=.*; *secure)(?=.*; *httponly)(?=.*; *samesite=(lax|strict))",
    **dict.fromkeys(("Access-Control-Allow-Origin", "Server", "X-Powered-By"), "(?!)"),
    "Access-Control-Allow-Credentials": "(?!)",
}
INTERNALS = {  # what no answer may hold either
    "pyproject.toml": "[tool.vitals]",
    "/etc/passwd": Path("/etc/passwd").read_text(encoding="utf-8").partition("\n")[0],
    "a traceback": "Traceback (most recent call last)",
    "the description": '{"openapi":',
    "a page of the description": "swagger-ui",
}
PAGE_SIZES, MAX_PAGE = {"limit", "size", "page_size", "per_page"}, 1000


@check("SEC-101", "a scope, or PUBLIC", GUARD, API)
def every_route_says_who_may_call_it(seen: Evidence) -> Findings:
    """Every route says who may call it"""
    yield from ((x.split(": ")[0], "does not say who may call it") for x in seen.service.unguarded)


@check("SEC-102", "401, or 403", "let vitals.caller verify the token", "RFC 8725, 3")
def guarded_routes_refuse_others(seen: Evidence) -> Findings:
    """A guarded route rejects callers without a valid token that has all its scopes"""
    found: dict[tuple[str, int], list[str]] = {}
    for operation, kind, status, *_ in seen.service.answers:
        is_wrong = kind not in (requests.VALID, requests.MALFORMED, requests.TRAP)
        if is_wrong and not operation.public and status not in (401, 403):
            found.setdefault((operation.name, status), []).append(kind)
    for (name, status), kinds in found.items():
        away = ": what the guard asks is away" if status == 503 else ""
        yield f"{name} {', '.join(kinds)}", f"answered {status}{away}"


@check("SEC-103", "a scope", "guard it, or accept the finding, as for a login", API)
def changes_are_guarded(seen: Evidence) -> Findings:
    """A route that changes something, or whose path says admin or debug, is not public"""
    for each in seen.service.operations:
        if each.public and (each.method in CHANGING or PRIVATE.search(each.name)):
            yield each.name, "anyone may call it"


@check("SEC-104", "a scope of the same resource, to write", "correct the scope", API)
def scopes_fit(seen: Evidence) -> Findings:
    """A scope is of the same resource as its neighbours', and to change something, one to write"""
    guarded = [each for each in seen.service.operations if not each.public]
    for each in guarded:
        own, place = _resources(each), _collection(each)
        around = [other for other in guarded if _collection(other) == place]
        resources = Counter(resource for other in around for resource in _resources(other))
        usual = {resource for resource, n in resources.items() if n == max(resources.values())}
        is_role = each.scopes and not own  # such as "admin"
        if resources and not is_role and (not own & usual or own != usual > own):
            yield each.name, f"needs {' '.join(own) or 'any token'}, others {' '.join(usual)}"
        if each.method in CHANGING and all(map(READING.search, each.scopes)) and each.schemes:
            yield f"{each.name} scope", f"{' '.join(each.scopes) or 'any token'} may change it"


@check("SEC-207", "none of it", "log types and names, never values", NEVER_LOGGED)
def the_log_holds_no_secret(seen: Evidence) -> Findings:
    """The log holds no secret, no token, no text of an exception, and nothing that was sent"""
    canaries = {name: text for name, text in seen.service.canaries.items() if name != "a path"}
    for operation, line in seen.service.log:
        for place in canaries_in(line, canaries):
            yield f"{operation or 'the log'} {place}", f"logs the text from: {place}"


@check("SEC-208", "none of it", "answer with rules, never with values", "OWASP ASVS 16.5.1")
def no_answer_holds_a_secret(seen: Evidence) -> Findings:
    """No answer holds a secret, a file or a traceback, and no error repeats what was sent"""
    for operation, kind, status, headers, text in seen.service.answers:
        of_operators = kind == requests.FOR_OPERATORS
        echo = {"path", *(("query", "body") if status < 400 and not of_operators else ())}
        known = seen.service.canaries | INTERNALS
        for place in canaries_in(text + str(headers.raw), known):
            if place not in echo and not (of_operators and place in ("a path", "a traceback")):
                yield f"{operation.name} {place}", f"{status} with the text from: {place}"


@check("SEC-209", "none", "leave the field out; take secrets in a body or a header", EXPOSURE)
def secrets_have_no_field(seen: Evidence) -> Findings:
    """No answer has a field for a password, secret or key, and no address carries one"""
    for each in seen.service.operations:
        sent = [given["name"] for given in each.parameters if given["in"] in ("path", "query")]
        names = [name for name in sent if SECRET.search(name) or TOKEN.fullmatch(name)]
        names += [name for name, scheme in each.schemes.items() if scheme.get("in") == "query"]
        parts = [x for schema in each.answers for x in fields(schema, each.schemas, "answer")]
        names += [at for at, x in parts if SECRET.search(at) and x.get("type") != "boolean"]
        yield from ((f"{each.name} {name}", "holds a secret") for name in names)


@check("SEC-301", "the security headers, once", "leave them to vitals", REST)
def answers_keep_the_security_headers(seen: Evidence) -> Findings:
    """Answers have the security headers, closed cookies, and none that another origin may read"""
    for operation, _, _, headers, _ in seen.service.answers:
        guarded = {"Cache-Control": "" if operation.public else ".*(no-store|private)"}
        for name, pattern in (ONCE | IF_SENT | guarded).items():
            values = headers.get_list(name)
            is_missing = not values and name not in IF_SENT
            twice = len(values) > 1 and name in ONCE
            if is_missing or twice or not all(re.match(pattern, value) for value in values):
                yield f"{operation.name} {name}", ", ".join(values) or "missing"


@check("SEC-305", "none of it", "escape it; redirect to known addresses only", "OWASP ASVS 1.2.1")
def nothing_sent_is_run_or_followed(seen: Evidence) -> Findings:
    """No page holds markup that was sent, and no redirect leads to an address that was sent"""
    sent = [seen.service.canaries[place] for place in ("query", "body", "path")]
    for operation, _, _, headers, text in seen.service.answers:
        html = "html" in headers.get("Content-Type", "")
        if html and any(f"{each}<i>" in text for each in sent):
            yield f"{operation.name} page", "markup that was sent"
        if re.match(f"(https:)?//{sent[0]}", headers.get("Location", "")):
            yield f"{operation.name} Location", "an address that was sent"


@check("SEC-406", f"a bound (of a page: {MAX_PAGE})", "add max_length, or le", CONSUMPTION)
def every_value_is_bounded(seen: Evidence) -> Findings:
    """Every text, list, number, object and page size that a client sends has a bound"""
    for each in seen.service.operations:
        schemas = {given["name"]: given["schema"] for given in each.parameters}
        for content in each.content.values():
            schemas["body"] = content.get("schema", {})
        for name, schema in schemas.items():
            for at, field in fields(schema, each.schemas, name):
                if name in PAGE_SIZES and field.get("maximum", 0) > MAX_PAGE:
                    yield f"{each.name} {at}", f"may be {field['maximum']}"
                if not is_bounded(field) and not at.endswith(".*"):  # a body has a limit too
                    yield f"{each.name} {at}", "has no bound"


@check(
    "SEC-415",
    f"{PROBLEM}, or your one shape; of a 401 WWW-Authenticate",
    "raise vitals.Problem",
    "RFC 9457",
)
def errors_have_one_shape(seen: Evidence) -> Findings:
    """Every error has the one shape, and a 401 names the authentication scheme"""
    expected, members = seen.service.error_shape
    for answer in seen.service.answers:
        name, status, (kind, found) = answer.operation.name, answer.status, answer.shape
        if status >= 400 and kind != HEALTH and (kind != expected or not members <= found):
            yield f"{name} {status}", f"as {kind} with {', '.join(sorted(found)) or 'no member'}"
        if status == 401 and "WWW-Authenticate" not in answer.headers:
            yield f"{name} WWW-Authenticate", "missing"


@check("SEC-504", "JSON in each line", "use logging instead of print", "OWASP ASVS 16.4.1")
def every_line_is_json(seen: Evidence) -> Findings:
    """Every line of the log is JSON"""
    for _, line in seen.service.log:
        try:
            json.loads(line)
        except ValueError:
            yield f"the log {line[:40]!r}", "is no JSON"


def _resources(operation: Operation) -> set[str]:
    """The resources of its scopes: of items:write or write:items, not of admin."""
    parts = [re.split("[:.]", scope) for scope in operation.scopes]
    return {part[bool(ACTION.fullmatch(part[0]))] for part in parts if len(part) > 1}


def _collection(operation: Operation) -> str:
    return operation.path.partition("/{")[0]
