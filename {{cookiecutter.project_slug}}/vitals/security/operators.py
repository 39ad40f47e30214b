"""The guard of the operators' paths.

Locally anyone passes; elsewhere whoever presents the operators' token, as `Authorization: Bearer`
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
    """A dependency that raises Problem 401 for all but operators; without a token, for everyone."""

    def __init__(self, token: str, *, allow_all: bool) -> None:
        self.model = HTTPBearer(description="the operators' token")
        self.scheme_name = "operators"
        self._token = token.encode()
        self._allow_all = allow_all

    def accepts(self, request: Request) -> bool:
        """Whether a request comes from an operator. Compares in constant time."""
        if self._allow_all:
            return True
        return bool(self._token) and hmac.compare_digest(_presented(request), self._token)

    async def __call__(self, request: Request) -> None:
        if not self.accepts(request):
            expected = "the operators' token, as a bearer token or as the password of HTTP Basic"
            raise Problem(401, "this path is for operators", expected=expected, headers=CHALLENGE)


def _presented(request: Request) -> bytes:
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
