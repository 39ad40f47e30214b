"""Who may look behind the scenes?

Everybody where this runs locally; elsewhere who sends the ops token, as `Authorization: Bearer`
or as the password of HTTP Basic, so that a browser can ask for it.
"""

import base64
import binascii
import hmac

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from vitals.problems import Problem

# each names a realm: RFC 9110, 11.6
CHALLENGE = {"WWW-Authenticate": 'Basic realm="operators", Bearer realm="operators"'}


class Operators(SecurityBase):
    """A guard: keeps all others out. Raises Problem 401."""

    def __init__(self, token: str, *, everybody: bool) -> None:
        self.model = HTTPBearer(description="the ops token")
        self.scheme_name = "operators"
        self._token = token.encode()
        self._everybody = everybody

    def know(self, request: Request) -> bool:
        """Does a request come from an operator? Compares in constant time."""
        return self._everybody or hmac.compare_digest(_sent(request), self._token)

    async def __call__(self, request: Request) -> None:
        if not self.know(request):
            expected = "the ops token as a bearer token or as the password of HTTP Basic"
            raise Problem(401, "this path is for operators", expected=expected, headers=CHALLENGE)


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
