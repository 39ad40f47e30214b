"""The base of request bodies, types of their fields, and the words for what is invalid."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

MAX_LISTED = 20  # faults of one kind, and errors of a problem
MAX_MEMBERS = 10_000  # of a list, set or dict that has no max_length
MANY = ("list", "set", "frozenset", "dict")
NO_TYPES = ("default", "metadata", "serialization")  # parts of a schema with values of others

# Pydantic's errors that say too little, or what was sent: (what is wrong, what is expected).
MESSAGES = {
    "missing": ("missing", "a value"),
    "extra_forbidden": ("unknown", "only known fields"),
    "json_invalid": ("not valid JSON", "valid JSON"),
    "uuid_parsing": ("not a UUID", "a UUID"),
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


def _bound(schema: Any) -> None:
    """Bound the lists in a schema, or in a list or dict of schemas."""
    parts = schema if isinstance(schema, list) else []
    if isinstance(schema, dict):
        if schema.get("type") in MANY or "variadic_item_index" in schema:
            schema["fail_fast"] = schema.setdefault("max_length", MAX_MEMBERS) > MAX_LISTED
        no_types = NO_TYPES if isinstance(schema.get("type"), str) else ()
        parts = [part for name, part in schema.items() if name not in no_types]
    for part in parts:
        _bound(part)


class Model(BaseModel):
    """A JSON body: unknown fields are refused, and types are not converted.

    Each error costs microseconds: more than 20 unknown fields are counted only, and a list of more
    than 20 ends at its first wrong member; without a max_length it takes 10,000. Use pydantic's
    BaseModel for query parameters and forms: their values are texts.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _count_unknown(cls, value: Any) -> Any:
        if not isinstance(value, dict) or len(value) <= MAX_LISTED:
            return value  # for each row of each page: the rest costs as much as the model
        most = len(cls.model_fields) + MAX_LISTED
        if len(value) > most and cls.model_config["extra"] == "forbid":
            raise PydanticCustomError("too_many_fields", "at most {most} fields", {"most": most})
        return value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _bound(schema)
        return schema


def _number(value: object) -> object:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value
    raise ValueError("a number")


# One line of text: no control characters (C0, C1), no U+2028 or U+2029. Set a max_length.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]

AMOUNT = {
    "type": "number",
    "minimum": 0.01,
    "maximum": 99_999_999.99,
    "description": "at most two decimal places",
    "examples": [12.5],
}
# An amount of money: a JSON number above 0 with at most two decimal places, kept exactly.
Amount = Annotated[
    Decimal,
    Field(strict=False, gt=0, max_digits=10, decimal_places=2),
    BeforeValidator(_number),
    PlainSerializer(float, when_used="json"),
    WithJsonSchema(AMOUNT),
]


def described(faults: Sequence[Any]) -> tuple[str, list[dict[str, str]]]:
    """The detail of a problem, and its errors; an application's own may be of any type."""
    errors = [_field_error(fault) for fault in faults[:MAX_LISTED]]
    detail = "the request is not valid"
    if errors:
        detail = f"{errors[0]['field']}: expected {errors[0]['expected']}"
    if len(faults) > MAX_LISTED:
        detail += f"; {len(faults) - MAX_LISTED:,} more errors are not listed"
    return detail, errors


def _field_error(fault: Any) -> dict[str, str]:
    """Name the field, what is wrong and what is expected, never what was sent."""
    given = fault if isinstance(fault, Mapping) else {"msg": str(fault)}
    field = ".".join(map(str, given.get("loc", ("request",))))[:200]
    kind, rule = given.get("type", ""), given.get("msg", "valid")
    for theirs, ours in REWORDED.items():
        rule = rule.replace(theirs, ours)
    if kind == "union_tag_invalid":  # it begins with the tag that was sent
        rule = "one of " + rule.rpartition(" expected tags: ")[2]
    expected = f"a number {rule}" if kind.startswith(BOUNDS) else rule
    problem, expected = MESSAGES.get(kind, (f"not {rule}", expected))
    return {"field": field, "problem": problem, "expected": expected}
