"""The errors of an invalid request, in plain words: from those of Pydantic to a problem's."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_ERRORS = 20
# Pydantic's error types whose message says too little: (what is wrong, what is expected).
MESSAGES = {
    "missing": ("missing", "a value"),
    "extra_forbidden": ("unknown", "only known fields"),
    "json_invalid": ("not valid JSON", "valid JSON"),
    "too_many_fields": ("too many unknown fields", "only known fields"),
}
REWORDED = {
    "Value error, ": "",
    "Input should be ": "",
    "Decimal input should have": "a number with",
    "String should have": "text with",
    "List should have": "a list with",
    "Dictionary should have": "an object with",
    "String should match pattern": "text that matches",
}
BOUNDS = ("greater_than", "less_than")


def is_undeclared_body(faults: Sequence[Any]) -> bool:
    """Whether a body was sent that is not declared as JSON: the framework leaves it as bytes."""
    whole = [
        fault for fault in faults if isinstance(fault, Mapping) and fault.get("loc") == ("body",)
    ]
    return any(isinstance(fault.get("input"), bytes) for fault in whole)


def described(faults: Sequence[Any]) -> tuple[str, list[dict[str, str]]]:
    """The detail of a problem, and its errors; an application's own may be of any type."""
    errors = [_field_error(fault) for fault in faults[:MAX_ERRORS]]
    detail = "the request is not valid"
    if errors:
        detail = f"{errors[0]['field']}: expected {errors[0]['expected']}"
    if len(faults) > MAX_ERRORS:
        detail += f"; {len(faults) - MAX_ERRORS:,} more errors are not listed"
    return detail, errors


def _field_error(fault: Any) -> dict[str, str]:
    """Name the field, what is wrong and what is expected, never what was sent."""
    given = fault if isinstance(fault, Mapping) else {"msg": str(fault)}
    field = ".".join(map(str, given.get("loc", ("request",))))[:200]
    kind, rule = given.get("type", ""), given.get("msg", "valid")
    for theirs, ours in REWORDED.items():
        rule = rule.replace(theirs, ours)
    expected = f"a number {rule}" if kind.startswith(BOUNDS) else rule
    problem, expected = MESSAGES.get(kind, (f"not {rule}", expected))
    return {"field": field, "problem": problem, "expected": expected}
