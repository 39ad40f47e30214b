"""Answers held against the schema that a description of the API (OpenAPI 3.1) promises."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from vitals.ops.check.security.observe import Answer
from vitals.ops.check.security.schemas import Schema, alternatives, fits, type_of


def faults(answer: Answer, description: Schema) -> Iterator[str]:
    """What an answer has that the description doesn't promise, or lacks."""
    path, method = answer.operation.name.partition(" ")[2], answer.operation.method.lower()
    answers = description.get("paths", {}).get(path, {}).get(method, {}).get("responses", {})
    described = answers.get(str(answer.status))
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if described is None and answers and answer.status < 400:
        yield f"answered {answer.status}, which isn't described"
    elif described and described.get("content") and kind not in described["content"]:
        yield f"answered {kind}, which isn't described"
    elif described and "json" in kind:
        schema = described.get("content", {}).get(kind, {}).get("schema", {})
        schemas = description.get("components", {}).get("schemas", {})
        with suppress(ValueError):  # the beginning of a long answer
            yield from dict.fromkeys(invalid(json.loads(answer.text), schema, schemas))


def invalid(value: Any, schema: Any, schemas: Schema, at: str = "answer") -> list[str]:
    """Return the places of a value that have another type than the schema says, or lack fields."""
    kind, choices = type_of(value), alternatives(schema, schemas)
    right = [one for one in choices if fits(kind, one.get("type"))]
    right = [one for one in right if value in one.get("enum", [value])]
    if not right:
        types = " or ".join(str(one.get("enum", one.get("type"))) for one in choices)
        return [f"{at} is {kind}, not {types}"]
    return min((_invalid_inside(value, one, schemas, at) for one in right), key=len)


def _invalid_inside(value: Any, schema: Schema, schemas: Schema, at: str) -> list[str]:
    if isinstance(value, list):
        inside = [(each, schema.get("items", {}), f"{at}[]") for each in value]
    elif isinstance(value, dict):
        fields, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
        inside = [(each, fields.get(n, rest), f"{at}.{n}") for n, each in value.items()]
    else:
        return []
    lacking = [n for n in schema.get("required", ()) if n not in value]
    found = [f"{at}.{name} is missing" for name in lacking]
    return found + [
        fault for part in inside for fault in invalid(part[0], part[1], schemas, part[2])
    ]
