"""Schemas of the description (JSON Schema): their bounds, and values with a canary in each text."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

PARSE = import_module("re._parser").parse  # private: nothing else reads patterns
SECRET = re.compile(
    r"(pass(word|wd|phrase)|pwd|secret"
    r"|(api|private|signing|secret|access|encryption|jwt|session)_?key)s?(_?(hash|digest|salt))?$",
    re.IGNORECASE,
)
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "P1D",
    "email": "{}@mail.internal",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://host.internal/{}",
    "uuid": "6f1c1d3e-8a5f-4a8e-9d55-0c2b9f3c9a11",
}
MANY = 100_000  # characters
BOUNDS = {
    "string": ("maxLength", "enum", "const", "contentMediaType"),
    "array": ("maxItems",),
    "integer": ("maximum", "exclusiveMaximum", "enum", "const"),
    "number": ("maximum", "exclusiveMaximum", "enum", "const"),
    "object": ("maxProperties",),
}
SHORT = ("date", "date-time", "time", "duration", "uuid", "ipv4", "ipv6", "email", "binary")
DEEPEST = 3  # below it only what is required: a model may hold itself
Schema = Mapping[str, Any]


def resolve(schema: Schema, schemas: Schema) -> Schema:
    """The schema that a reference names, with all that is in `allOf`."""
    if "$ref" in schema:
        return resolve(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for each in schema.get("allOf", ()):
        schema = {**resolve(each, schemas), **schema}
    return schema


def is_file(schema: Schema) -> bool:
    """Whether a field of a form is a file, or a list of them."""
    schema = schema.get("items", schema)
    return schema.get("format") == "binary" or "contentMediaType" in schema


def value(
    schema: Schema, schemas: Schema, canaries: Mapping[str, str], name: str = "", deep: int = 0
) -> Any:
    """A value that fits the schema."""
    schema = resolve(schema, schemas)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "anyOf", "oneOf"):
        if key in schema:
            first = schema[key][0]
            return first if key == "enum" else value(first, schemas, canaries, name, deep)
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            names = fields if deep < DEEPEST else schema.get("required", ())
            return {n: value(fields[n], schemas, canaries, n, deep + 1) for n in names}
        case "array":
            item = value(schema.get("items", {}), schemas, canaries, name, deep + 1)
            return [item] * max(1, schema.get("minItems", 1))
        case "integer" | "number" as kind:
            lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            highest = schema.get("exclusiveMaximum", lowest + 1) - 1
            number = min(lowest, schema.get("maximum", highest))
            return int(number) if kind == "integer" else number
        case "boolean":
            return True
        case "null":
            return None
    return text(schema, canaries["password" if SECRET.search(name) else "body"])


def text(schema: Schema, canary: str) -> str:
    """A text that fits the schema, with the canary, and markup, if there is room for it."""
    if form := FORMATS.get(schema.get("format", "")):
        return form.format(canary)
    pattern, most = schema.get("pattern", ""), schema.get("maxLength", 1000)
    fitting = canary.ljust(schema.get("minLength", 0), "x")[:most]
    made = _matching(PARSE(pattern))
    formed = (form.format(canary) for form in FORMATS.values())
    texts = (f"{fitting}<i>", fitting, canary.upper(), *formed, *schema.get("examples", ()), made)
    return next((x for x in texts if len(x) <= most and re.search(pattern, x)), fitting)


def is_bounded(schema: Schema) -> bool:
    """Whether a value of this type, without its parts, has a limit."""
    kind = schema.get("type", "")
    if kind == "object" and not schema.get("additionalProperties"):
        return True
    if not kind:
        return not {"anyOf", "oneOf", "enum", "const"}.isdisjoint(schema)
    bounded = schema.get("format") in SHORT or any(b in schema for b in BOUNDS.get(kind, ()))
    return bounded or kind not in BOUNDS or _longest(schema.get("pattern", "")) < MANY


def fields(
    schema: Schema, schemas: Schema, at: str, above: tuple[Schema, ...] = ()
) -> Iterator[tuple[str, Schema]]:
    """Each part of a schema, with where it stands."""
    yield at, (schema := resolve(schema, schemas))
    inside = [(at, each) for key in ("anyOf", "oneOf") for each in schema.get(key, ())]
    inside += [(f"{at}.{name}", field) for name, field in schema.get("properties", {}).items()]
    inside += [(f"{at}[]", schema["items"])] if "items" in schema else []
    values = schema.get("additionalProperties")
    inside += [(f"{at}.*", values)] if isinstance(values, Mapping) else []
    for place, each in inside if schema not in above else ():  # a model may hold itself
        yield from fields(each, schemas, place, (*above, schema))


def _longest(pattern: str) -> int:
    """The length of the longest text that a pattern lets pass."""
    most: int = PARSE(pattern).getwidth()[1]
    return most if re.match(r"\^.*\$$", pattern) else MANY


def _matching(nodes: Iterable[tuple[Any, Any]]) -> str:
    """A short text that a parsed pattern matches."""
    made = ""
    for kind, given in nodes:
        match str(kind):
            case "LITERAL" | "RANGE":
                made += chr(given if isinstance(given, int) else given[0])
            case "CATEGORY":
                made += {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(given), "a")
            case "IN" | "BRANCH":
                made += _matching(given[:1] if str(kind) == "IN" else given[1][0])
            case "MAX_REPEAT" | "MIN_REPEAT":
                made += _matching(given[2]) * given[0]
            case "SUBPATTERN":
                made += _matching(given[3])
            case "ANY" | "NOT_LITERAL" | "NEGATE":
                made += "~"
    return made
