"""The caller of a route, and the scopes that the route requires.

    @router.post("/items", dependencies=[Security(caller, scopes=["items:write"])])

    async def read_orders(who: Annotated[Caller, Security(caller, scopes=["orders:read"])]): ...

How a token is verified is given to `vitals.install`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from vitals import request_stats
from vitals.problems import Problem

PUBLIC: dict[str, Any] = {"security": []}  # as openapi_extra of a route: anyone may call it
MAX_TOKEN = 8_192  # characters


@dataclass(frozen=True)
class Caller:
    """Who sent the request: the subject, scopes and claims of a verified token."""

    subject: str
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)


Verify = Callable[[str], Awaitable[Caller]]


class CallerDependency(SecurityBase):
    """The dependency `caller`: the Caller, if the token grants all scopes that are asked for.

    Raises Problem 401 (RFC 6750) without a valid token, 403 if a scope is missing. Where
    authentication is off everyone passes in local and test; elsewhere it is a RuntimeError.
    """

    def __init__(self) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="a token of the issuer")
        self.scheme_name = "token"

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Caller:
        engine = connection.scope["vitals"]
        verify: Verify | None = engine.verify
        if verify is None:
            if not engine.allows_anonymous:
                raise RuntimeError("no verifier of tokens. Fix: vitals.install(…, verify=…)")
            return Caller("anonymous", frozenset(required.scopes))
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            expected = "a bearer token in the Authorization header"
            raise _refusal(401, "this needs a token", expected)
        if len(token) > MAX_TOKEN:
            raise bad_token("the token is too long")
        who = await verify(token.strip())
        request_stats.subject(who.subject)
        if missing := [scope for scope in required.scopes if scope not in who.scopes]:
            challenge = f', error="insufficient_scope", scope="{required.scope_str}"'
            expected = f"a token with the scope {' '.join(missing)}"
            raise _refusal(403, "the token does not allow this", expected, challenge)
        return who


caller = CallerDependency()


def bad_token(found: str) -> Problem:
    """A 401 that says what is wrong with the token."""
    challenge = f', error="invalid_token", error_description="{found}"'
    expected = "a token that the issuer signed for this service, and that has not expired"
    return _refusal(401, found, expected, challenge)


def _refusal(status: int, found: str, expected: str, challenge: str = "") -> Problem:
    headers = {"WWW-Authenticate": f'Bearer realm="api"{challenge}'}
    return Problem(status, found, expected=expected, headers=headers)
