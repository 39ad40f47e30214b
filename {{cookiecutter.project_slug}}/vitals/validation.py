"""What may come in from outside? The rules that hold for every feature's routes and models.

A feature makes its router with `router`, and its models from `Incoming` and the types below.
"""

import re
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vitals import problems
from vitals.problems import Problem

JSON = re.compile(r"application/([\w.+-]+\+)?json *(; *charset=\"?utf-8\"? *)?", re.IGNORECASE)
DIGITS = re.compile(r"-?[0-9]{1,20}")


class Incoming(BaseModel):
    """What a client sends: known fields only, and each of its own type."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


def _number(value: object) -> object:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value
    raise ValueError("a number")


def _whole(value: object) -> object:
    if isinstance(value, str) and not DIGITS.fullmatch(value):
        raise ValueError("a whole number")
    return int(value) if isinstance(value, str) else value


# One line of text: no control characters. How long it may be, each field says.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
# Behind the bounds of a Decimal with strict=False: JSON's true and "1" are no numbers.
Number = BeforeValidator(_number)
# Behind the bounds of an int in a path or a query: "1_0" and "+1" are no whole numbers.
Whole = BeforeValidator(_whole)


def router(prefix: str) -> APIRouter:
    """A router for the paths of one feature, whose routes keep the rules."""
    return APIRouter(prefix=prefix, tags=[prefix.strip("/")], route_class=Route)


class Route(APIRoute):
    """A route that refuses before it reads a body, documents its refusals, and answers HEAD."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        called = [each.call for each in self.dependant.dependencies]
        self._guards: list[Any] = [call for call in called if isinstance(call, SecurityBase)]
        refusals = [401, 403] if self._guards else []
        refusals += [415] if self.body_field else []
        self.responses = problems.documented(*refusals, 422) | self.responses
        if self.methods and "GET" in self.methods:
            self.methods.add("HEAD")

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler: it would read the whole body first."""
        handle = super().get_route_handler()
        takes_body, takes_query = self.body_field is not None, bool(self.dependant.query_params)

        async def refuse_first(request: Request) -> Response:
            if takes_body:
                for guard in self._guards:
                    await guard(request)
                _refuse_other_content(request)
            if not takes_query and request.scope["query_string"]:
                raise Problem(422, "query: unknown", expected="no query")
            return await handle(request)

        return refuse_first


def _refuse_other_content(request: Request) -> None:
    """Take nothing but JSON in UTF-8, as RFC 8259 has it."""
    if not JSON.fullmatch(request.headers.get("content-type", "")):
        raise Problem(415, "the content is not declared as JSON", expected="application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "the content is encoded", expected="no Content-Encoding")
