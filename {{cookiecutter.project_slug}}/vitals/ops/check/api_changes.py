"""Breaking changes between two descriptions of an API (OpenAPI 3.1), for clients of the old one.

What a client may send must stay within what the new version accepts, and what the new version
answers within what the client expects: one table of rules, read in opposite directions.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any

from vitals.ops.check.security.schemas import Schema, alternatives, fits, narrower_bounds

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
FREE = ("binary", "password", None)  # formats that constrain nothing


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What a client of the old API can no longer rely on: method, path, place and what changed."""
    before, now = _operations(old), _operations(new)
    paths = {path for _, path in now}
    found: list[str] = []
    for (method, path), operation in before.items():
        changes = iter([f"the {'method' if path in paths else 'path'} is gone"])
        if (method, path) in now:
            changes = _Changes(old, new).of(operation, now[method, path])
        found += [f"{method.upper()} {operation['path']}: {change}" for change in changes]
    return list(dict.fromkeys(found))


def _operations(description: Schema) -> dict[tuple[str, str], dict[str, Any]]:
    """The operations by method and path; the names in a path's braces don't count."""
    found = {}
    for path, item in description.get("paths", {}).items():
        names = re.findall(r"\{([^}]*)\}", path)
        for method in (each for each in METHODS if each in item):
            operation = {"security": description.get("security"), "path": path, **item[method]}
            parameters = {}
            for each in (*item.get("parameters", ()), *item[method].get("parameters", ())):
                place, name = each["in"], each["name"]
                parameters[place, names.index(name) if place == "path" else name] = each
            found[method, re.sub(r"\{[^}]*\}", "{}", path)] = operation | {"parameters": parameters}
    return found


def _beyond(key: str, one: Schema, other: Schema) -> list[str]:
    return [name for name in one.get(key, ()) if name not in other.get(key, ())]


def _optional(narrow: Schema, wide: Schema) -> list[str]:
    return [n for n in _beyond("required", wide, narrow) if n in narrow.get("properties", ())]


def _unknown(narrow: Schema, wide: Schema) -> Iterator[str]:
    if wide.get("additionalProperties") is False:
        yield from _beyond("properties", narrow, wide)
        yield from ["any other"] if narrow.get("additionalProperties") is not False else []


# What the narrower side (a) has beyond the wider one (b), and what that means for a client: in a
# request, where the old side is the narrower one, and in an answer, where the new side is.
RULES: tuple[tuple[Callable[[Schema, Schema], Iterable[object]], str, str], ...] = (
    (lambda a, b: _beyond("enum", a, {**a, **b}), "no longer accepts {!r}", "may be {!r}"),
    (lambda a, b: {"enum"} & b.keys() - a.keys(), "now only an {}", "no longer an {}"),
    (narrower_bounds, "{} is narrower", ""),
    (lambda a, b: {b.get("format")} - {a.get("format"), *FREE}, "now a {}", "no longer a {}"),
    (lambda a, b: _beyond("required", b, a), "field {} is now required", ""),
    (_optional, "", "field {} is no longer always there"),
    (_unknown, "field {} is now refused", ""),
    (lambda a, b: _beyond("properties", b, a), "", "field {} is gone"),
)


class _Changes:
    """The breaking changes of one operation."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old.get("components", {}), new.get("components", {})
        self._compared: dict[str, list[str]] = {}

    def of(self, old: Schema, new: Schema) -> Iterator[str]:
        yield from self._parameters(old["parameters"], new["parameters"])
        body, now = old.get("requestBody", {}), new.get("requestBody", {})
        if now.get("required") and not body.get("required"):
            yield "request body: now required"
        if body and now:
            yield from self._contents("request body", body, now, sent=True)
        now = {status: x for status, x in new["responses"].items() if status[0] in "23"}
        for status in (each for each in old["responses"] if each[0] in "23"):
            if status in now:
                answers = old["responses"][status], now[status]
                yield from self._contents(f"answer {status}", *answers, sent=False)
            else:
                yield f"answer {status}: gone, now {', '.join(now) or 'no success'}"
        needed = _needed(new, self._new)
        for held in _needed(old, self._old):
            if not any(all(n in held and s <= held[n] for n, s in w.items()) for w in needed):
                ways = (" ".join([*way, *sorted(set().union(*way.values()))]) for way in needed)
                yield f"security: now requires {' or '.join(ways)}"

    def _parameters(self, old: Schema, new: Schema) -> Iterator[str]:
        for key, each in {**new, **old}.items():
            before, now, at = old.get(key, {}), new.get(key, {}), f"{key[0]} {each['name']}"
            if not now:
                yield f"{at}: gone"
            elif now.get("required") and not before.get("required"):
                yield f"{at}: {'now' if before else 'new and'} required"
            if before and now:
                schemas = (each.get("schema", {}) for each in (before, now))
                yield from (f"{at}{x}" for x in self._compare(*schemas, sent=True, text=True))

    def _contents(self, at: str, old: Schema, new: Schema, *, sent: bool) -> Iterator[str]:
        now = new.get("content", {})
        for kind, media in old.get("content", {}).items():
            if kind not in now:
                yield f"{at}: media type {kind} is gone"
            else:
                schemas = (each.get("schema", {}) for each in (media, now[kind]))
                changes = self._compare(*schemas, sent=sent, text="json" not in kind)
                yield from (f"{at}{change}" for change in changes)

    def _compare(self, old: Any, new: Any, *, sent: bool, text: bool) -> list[str]:
        """The places and changes; of a schema that holds itself each pair is compared once."""
        key = json.dumps([old, new, sent, text], sort_keys=True)
        if key not in self._compared:
            self._compared[key] = []
            sides = ((old, self._old), (new, self._new))[:: 1 if sent else -1]
            narrow, wide = (alternatives(x, parts.get("schemas", {})) for x, parts in sides)
            found = [x for one in narrow for x in self._closest(one, wide, sent, text)]
            self._compared[key] = found
        return self._compared[key]

    def _closest(self, one: Schema, others: list[Schema], sent: bool, text: bool) -> list[str]:
        """What one alternative has beyond that of the others which is closest to it."""
        kind, kinds = one.get("type"), [other.get("type") for other in others]
        if text and sent and kind not in ("array", "object", *kinds):
            if kind == "null":
                return []  # no text says so
            if "string" in kinds:
                one = {"type": (kind := "string"), "minLength": inf, "maxLength": 0}
            others = [*others, *(o["items"] for o in others if o.get("type") == "array")]
        same = [other for other in others if fits(kind, other.get("type"))]
        if same:
            return min((list(self._between(one, each, sent, text)) for each in same), key=len)
        types = " or ".join(str(each or "anything") for each in kinds)
        said = "no longer accepts {}, only {}" if sent else "may be {}, was {}"
        return [f": {said.format(kind or 'anything', types)}"]

    def _between(self, narrow: Schema, wide: Schema, sent: bool, text: bool) -> Iterator[str]:
        for surplus, in_request, in_answer in RULES:
            if said := in_request if sent else in_answer:
                yield from (f": {said.format(each)}" for each in surplus(narrow, wide))
        for at, *pair in _parts(narrow, wide):
            old, new = pair if sent else pair[::-1]
            yield from (f"{at}{x}" for x in self._compare(old, new, sent=sent, text=text))


def _parts(narrow: Schema, wide: Schema) -> Iterator[tuple[str, Any, Any]]:
    """The schemas inside of both, each with its place."""
    rest, more = (each.get("additionalProperties", {}) for each in (narrow, wide))
    for name, field in narrow.get("properties", {}).items():
        yield f".{name}", field, wide.get("properties", {}).get(name, more or {})
    if more and rest is not False:
        yield ".*", rest, more
    yield "[]", narrow.get("items", {}), wide.get("items", {})
    pairs = zip(narrow.get("prefixItems", ()), wide.get("prefixItems", ()), strict=False)
    yield from ((f"[{n}]", *pair) for n, pair in enumerate(pairs))


def _needed(operation: Schema, components: Schema) -> list[dict[str, set[str]]]:
    """Each way to say who calls: scopes by the kind of scheme, whatever the scheme is named."""
    kinds = {
        name: " ".join(scheme[k] for k in ("type", "scheme", "in", "name") if k in scheme)
        for name, scheme in components.get("securitySchemes", {}).items()
    }
    ways = operation["security"] or [{}]
    return [{kinds.get(n, n): set(scopes) for n, scopes in way.items()} for way in ways]
