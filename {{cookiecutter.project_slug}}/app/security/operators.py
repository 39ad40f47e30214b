"""Who may look behind the scenes?

Everybody where this runs locally; elsewhere who sends the ops token, as `Authorization: Bearer`
or as the password of HTTP Basic, so that a browser can ask for it.
"""

import base64
import binascii
import hmac
from collections.abc import Callable

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from app.errors import Problem

CHALLENGE = (
    'Basic realm="operators", Bearer realm="operators"'  # each names a realm: RFC 9110, 11.6
)


def recognise(token: str, open_to_all: bool) -> Callable[[Request], bool]:
    """Make the question whether a request comes from an operator. Compares in constant time."""
    expected = token.encode()

    def is_operator(request: Request) -> bool:
        return open_to_all or hmac.compare_digest(_sent(request), expected)

    return is_operator


class OperatorsOnly(SecurityBase):
    """A guard: keeps all others out. Raises a 401 problem."""

    def __init__(self, is_operator: Callable[[Request], bool]) -> None:
        self.model = HTTPBearer(description="the ops token")
        self.scheme_name = "operators"
        self._is_operator = is_operator

    async def __call__(self, request: Request) -> None:
        if not self._is_operator(request):
            raise Problem(
                401,
                "this path is for operators",
                expected="the ops token as a bearer token or as the password of HTTP Basic",
                headers={"WWW-Authenticate": CHALLENGE},
            )


def guard(is_operator: Callable[[Request], bool]) -> OperatorsOnly:
    """Make the dependency that keeps all others out."""
    return OperatorsOnly(is_operator)


def _sent(request: Request) -> bytes:
    """The token in the Authorization header; empty if there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
