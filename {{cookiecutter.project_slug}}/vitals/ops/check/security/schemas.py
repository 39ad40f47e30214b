"""Schemas of the description (JSON Schema): their bounds, and values with a canary in each text."""

import math
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
TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
DEEPEST = 3  # below it only what is required: a model may hold itself
Schema = Mapping[str, Any]


def resolve(schema: Any, schemas: Schema) -> Schema:
    """The schema that a reference names, with all that is in `allOf`."""
    if not isinstance(schema, Mapping):
        return {}  # `true` and `false` are schemas too
    if "$ref" in schema:
        beside = {key: given for key, given in schema.items() if key != "$ref"}
        return {**resolve(schemas[schema["$ref"].rpartition("/")[2]], schemas), **beside}
    for each in schema.get("allOf", ()):
        other: Schema = resolve(each, schemas)
        lists = {"required": [*other.get("required", ()), *schema.get("required", ())]}
        fields = {**other.get("properties", {}), **schema.get("properties", {})}
        schema = {**other, **schema, **lists, "properties": fields}
    return schema


def alternatives(schema: Any, schemas: Schema) -> list[Schema]:
    """The schemas of which one must fit, each of one type; all enumerated values of it in one."""
    schema = resolve(schema, schemas)
    rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "const", "enum")}
    values: dict[str, list[Any]] = {}
    if branches := schema.get("anyOf", schema.get("oneOf")):
        every = [{**rest, **each} for b in branches for each in alternatives(b, schemas)]
    elif "const" in schema or "enum" in schema:
        every = [{**rest, "enum": [v]} for v in schema.get("enum", [schema.get("const")])]
    elif isinstance(schema.get("type"), list):
        every = [{**rest, "type": kind} for kind in schema["type"]]
    else:
        return [{"type": "object", **rest} if "properties" in rest else rest]
    for found in (v for each in every for v in each.get("enum", ())):
        values.setdefault(type_of(found), []).append(found)
    enumerated: list[Schema] = [{**rest, "type": kind, "enum": values[kind]} for kind in values]
    return [each for each in every if "enum" not in each] + enumerated


def type_of(given: Any) -> str:
    """The type in JSON of a value."""
    return "null" if given is None else TYPES.get(type(given), "object")


def fits(kind: str | None, wider: str | None) -> bool:
    """Whether each value of a type is one of the other."""
    return wider in (kind, None) or (kind, wider) == ("integer", "number")


def narrower_bounds(wide: Schema, narrow: Schema) -> Iterator[str]:
    """The bounds by which the second schema allows less than the first."""
    for of in ("imum", "Length", "Items", "Properties"):
        ends = (f"{end}{of}" for end in ("min", "max"))
        yield from (name for name in ends if _bound(wide, name) < _bound(narrow, name))
    names = ("pattern", "multipleOf", "uniqueItems")
    yield from (name for name in names if narrow.get(name) not in (None, False, wide.get(name)))


def _bound(schema: Schema, name: str) -> tuple[float, bool]:
    """A bound, and whether it is itself excluded; the larger allows less: a maximum is negative."""
    sign = -1 if name.startswith("max") else 1
    bound = sign * schema.get(name, 0 if name == "minLength" else -sign * math.inf)
    if (excluded := schema.get(f"exclusive{name.capitalize()}")) is None:
        return bound, False
    is_whole = schema.get("type") == "integer"
    return max((bound, False), (sign * excluded + is_whole, not is_whole))


def is_file(schema: Schema) -> bool:
    """Whether a field of a form is a file, or a list of them."""
    schema = schema.get("items", schema)
    return schema.get("format") == "binary" or "contentMediaType" in schema


def value(
    schema: Schema, schemas: Schema, canaries: Mapping[str, str], name: str = "", deep: int = 0
) -> Any:
    """A value that fits the schema."""
    schema = alternatives(schema, schemas)[0]
    if "enum" in schema:
        return schema["enum"][0]
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
