"""The base of request bodies, and types of their fields."""

from decimal import Decimal
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)


class Model(BaseModel):
    """A JSON body: unknown fields are refused, and types are not converted.

    Use pydantic's BaseModel for query parameters and forms, whose values are all text.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


def _number(value: object) -> object:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value
    raise ValueError("a number")


# One line of text: no control characters. Each field sets its own max_length.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]

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
