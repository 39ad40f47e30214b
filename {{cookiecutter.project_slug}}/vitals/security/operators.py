"""The guard of the operators' paths.

Locally anyone passes; elsewhere whoever presents the operators' token, as `Authorization: Bearer`
or as the password of HTTP Basic, so that a browser can ask for it.
"""

import base64
import hmac
from contextlib import suppress
from ipaddress import ip_address
from time import monotonic

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from vitals import request_stats
from vitals.problems import Problem

MAX_WRONG = 10  # tokens from one address in WINDOW_SECONDS
WINDOW_SECONDS = 60
MAX_ADDRESSES = 1_000  # that are remembered
# each names a realm: RFC 9110, 11.6
CHALLENGE = {"WWW-Authenticate": 'Basic realm="operators", Bearer realm="operators"'}


class Operators(SecurityBase):
    """A dependency that raises Problem 401 for all but operators; without a token, for everyone.

    After 10 wrong tokens in a minute from one address, another wrong one is a 429.
    """

    def __init__(self, token: str, *, allow_all: bool) -> None:
        self.model = HTTPBearer(description="the operators' token")
        self.scheme_name = "operators"
        self._token = token.encode()
        self._allow_all = allow_all
        self.counts = {"operator_login_failures_total": 0}
        self._wrong: dict[str, tuple[float, int]] = {}  # by address: since when, how many

    def accepts(self, request: Request) -> bool:
        """Whether a request comes from an operator. Compares in constant time."""
        if self._allow_all:
            return True
        presented = _presented(request)
        if self._token and hmac.compare_digest(presented, self._token):
            request_stats.subject("operator")
            return True
        if presented:
            self._count(_network(request))
        return False

    async def __call__(self, request: Request) -> None:
        if self.accepts(request):
            return
        _, wrong = self._wrong.get(_network(request), (0.0, 0))
        if wrong > MAX_WRONG and _presented(request):
            raise Problem(429, "too many wrong operators' tokens", retry_after=WINDOW_SECONDS)
        expected = "the operators' token, as a bearer token or as the password of HTTP Basic"
        raise Problem(401, "this path is for operators", expected=expected, headers=CHALLENGE)

    def _count(self, network: str) -> None:
        self.counts["operator_login_failures_total"] += 1
        now = monotonic()
        since, wrong = self._wrong.pop(network, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, wrong = now, 0
        if len(self._wrong) >= MAX_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[network] = since, wrong + 1


def _network(request: Request) -> str:
    """The client's address; of IPv6 the network, from which one client has all addresses."""
    host = request.client.host if request.client else ""
    with suppress(ValueError):  # a unix socket has none
        return ip_address(host.removeprefix("::ffff:")).exploded[:19]
    return ""


def _presented(request: Request) -> bytes:
    """The token in the Authorization header; empty if there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    if scheme.lower() == "basic":
        with suppress(ValueError):  # it is not base64
            return base64.b64decode(value, validate=True).partition(b":")[2]
    return b""
