"""Group 4: how much may somebody send, and how long may it take?"""

from collections.abc import Iterator, Mapping
from typing import Any

from vitals.ops.check.security.checklist import Checklist
from vitals.ops.check.security.evidence import Evidence

CHECKLIST = Checklist()
check = CHECKLIST.check

CONSUMPTION, UPLOAD = "OWASP API4:2023", "OWASP File Upload Cheat Sheet"
BOUNDS = {
    "string": ("maxLength", "enum", "const", "format"),
    "array": ("maxItems",),
    "integer": ("maximum", "exclusiveMaximum", "enum", "const"),
}
MAX_MEBIBYTES, MAX_SECONDS = 10, 60


def _status(seen: Evidence, name: str, *expected: int) -> Iterator[str]:
    if name in seen.answers and (status := seen.answers[name].status) not in expected:
        yield f"{name}: {status or 'no answer'}"


@check("SEC-401", "413", "install vitals/security/body_limit.py", CONSUMPTION)
def a_declared_body_has_a_limit(seen: Evidence) -> Iterator[str]:
    """A body that declares to be too large is refused"""
    yield from _status(seen, "declared", 413)


@check("SEC-402", "413", "count what comes in, in vitals/security/body_limit.py", CONSUMPTION)
def an_undeclared_body_has_a_limit(seen: Evidence) -> Iterator[str]:
    """A body that declares nothing is cut at the limit"""
    yield from _status(seen, "chunked", 413)


@check("SEC-403", "413", "name the path in UPLOADS of the feature's routes", UPLOAD)
def an_upload_has_a_limit(seen: Evidence) -> Iterator[str]:
    """An upload that is too large is refused"""
    yield from _status(seen, "upload", 413)


@check("SEC-404", "431", "hold connections to APP_MAX_HEADER_BYTES", CONSUMPTION)
def headers_have_a_limit(seen: Evidence) -> Iterator[str]:
    """Headers and addresses that are too long are refused"""
    yield from _status(seen, "long headers", 431)
    yield from _status(seen, "long path", 431)


@check("SEC-405", "422", "give the limit of a page an upper bound", CONSUMPTION)
def a_page_has_a_limit(seen: Evidence) -> Iterator[str]:
    """Nobody gets everything in one page"""
    yield from _status(seen, "long page", 422)


@check("SEC-406", "a bound", "add max_length, le, or a pattern of bounded length", CONSUMPTION)
def every_value_is_bounded(seen: Evidence) -> Iterator[str]:
    """Every text, list and whole number that a client sends is bounded"""
    for name, operation in seen.operations.items():
        for parameter in operation.get("parameters", ()):
            if _unbounded(parameter["schema"], seen.schemas):
                yield f"{name}: {parameter['name']} has no bound"
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for field in _unbounded(content["schema"], seen.schemas):
                yield f"{name}: {field} has no bound"


@check("SEC-407", "4xx", "let the boundary refuse it", CONSUMPTION)
def deep_nesting_is_refused(seen: Evidence) -> Iterator[str]:
    """JSON that is nested too deep is refused"""
    yield from _status(seen, "deep", 400, 413, 422)


@check("SEC-408", "422", "use Exact, or allow_inf_nan=False", "RFC 8259, 6")
def what_is_no_number_is_refused(seen: Evidence) -> Iterator[str]:
    """NaN and infinity are no numbers"""
    yield from _status(seen, "nan", 422)


@check("SEC-409", "422", "make the model from Incoming", "OWASP API3:2023")
def unknown_fields_are_refused(seen: Evidence) -> Iterator[str]:
    """A field that is not known is refused"""
    yield from _status(seen, "unknown field", 422)


@check("SEC-410", "415", "make the router with boundary.router", "OWASP REST Security Cheat Sheet")
def other_content_is_refused(seen: Evidence) -> Iterator[str]:
    """Content that is not declared as JSON is refused"""
    yield from _status(seen, "form", 415)


@check("SEC-411", "415", "compare the content with its type", UPLOAD)
def an_upload_is_what_it_says(seen: Evidence) -> Iterator[str]:
    """An upload is refused that is not what it says it is, or not allowed"""
    yield from _status(seen, "page as image", 415)
    yield from _status(seen, "script", 415)


@check("SEC-412", "405", "offer no such method", "OWASP WSTG-CONF-06")
def only_offered_methods_work(seen: Evidence) -> Iterator[str]:
    """Methods that nobody offers are refused"""
    yield from _status(seen, "trace", 405, 501)
    yield from _status(seen, "wrong method", 405)


@check("SEC-413", f"at most {MAX_MEBIBYTES} MiB", "set it lower, or accept it", CONSUMPTION)
def sizes_are_set_low(seen: Evidence) -> Iterator[str]:
    """The limits of sizes are low in staging and production"""
    for environment, settings in seen.settings.items():
        for name in ("max_body_bytes", "max_upload_bytes", "max_header_bytes"):
            if getattr(settings, name) > MAX_MEBIBYTES * 1024 * 1024:
                yield f"{environment}: APP_{name.upper()}={getattr(settings, name)}"


@check("SEC-414", f"at most {MAX_SECONDS} s", "set it lower, or accept it", CONSUMPTION)
def times_are_set_low(seen: Evidence) -> Iterator[str]:
    """The limits of times are low in staging and production"""
    for environment, settings in seen.settings.items():
        for name in ("request_read_seconds", "request_seconds"):
            if getattr(settings, name) > MAX_SECONDS:
                yield f"{environment}: APP_{name.upper()}={getattr(settings, name):g}"


@check("SEC-415", "application/problem+json", "raise Problem", "RFC 9457")
def every_error_has_the_one_shape(seen: Evidence) -> Iterator[str]:
    """Every error has the one shape, but for what is no request yet"""
    for name, answer in seen.answers.items():
        shaped = answer.header("Content-Type") in (
            "application/problem+json",
            "application/health+json",
        )
        if answer.status >= 400 and answer.status != 431 and not shaped and "readyz" not in name:
            yield f"{name}: {answer.status} as {answer.header('Content-Type') or 'nothing'}"


def _unbounded(schema: Mapping[str, Any], known: Mapping[str, Any], at: str = "body") -> list[str]:
    """The fields of a schema that have no bound."""
    if "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    inside = [each for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())]
    found = [field for each in inside for field in _unbounded(each, known, at)]
    kind = schema.get("type", "")
    if kind in BOUNDS and not any(bound in schema for bound in BOUNDS[kind]):
        found.append(at)
    for name, field in schema.get("properties", {}).items():
        found += _unbounded(field, known, f"{at}.{name}")
    return found + (_unbounded(schema["items"], known, f"{at}[]") if "items" in schema else [])
