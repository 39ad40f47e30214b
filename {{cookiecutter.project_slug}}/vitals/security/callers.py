"""The caller of a route, and the scopes that the route requires.

    @router.post("/items", dependencies=[Security(caller, scopes=["items:write"])])

    async def read_orders(who: Annotated[Caller, Security(caller, scopes=["orders:read"])]): ...

A route for everyone that wants to know who calls has `openapi_extra=PUBLIC` and

    who: Annotated[Caller | None, Security(optional_caller)]

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

# As openapi_extra of a route: anyone may call it. The empty requirement makes a token optional
# where a dependency names one (OpenAPI 3.1, 4.8.10).
PUBLIC: dict[str, Any] = {"security": [{}]}
MAX_TOKEN = 8_192  # characters
SCHEMES = ("bearer", "token")  # RFC 6750, and what many APIs with a log-in of their own write


@dataclass(frozen=True)
class Caller:
    """Who sent the request: the subject, scopes and claims of a verified token."""

    subject: str
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)


# Returns None for a token that is not valid.
Verify = Callable[[str], Awaitable[Caller | None]]


class CallerDependency(SecurityBase):
    """The dependency `caller`: the Caller, if the token grants all scopes that are asked for.

    Raises Problem 401 (RFC 6750) without a valid token, 403 if a scope is missing. Where tokens
    are not verified everyone passes in local and test; elsewhere it is a RuntimeError. With
    `auto_error=False`, as `optional_caller`, it is None without a token: any other is verified.
    """

    def __init__(self, *, auto_error: bool = True) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="a token of the issuer")
        self.scheme_name = "token"
        self.auto_error = auto_error

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Caller | None:
        engine = connection.scope["vitals"]
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        # A browser that signed in at /status sends its password (Basic) everywhere.
        if not self.auto_error and scheme.lower() in ("", "basic"):
            return None
        verify: Verify | None = engine.verify
        if verify is None:
            if not engine.allows_anonymous:
                raise RuntimeError("no verifier of tokens. Fix: vitals.install(…, verify=…)")
            return Caller("anonymous", frozenset(required.scopes))
        if scheme.lower() not in SCHEMES or not token:
            expected = "a bearer token in the Authorization header"
            raise _refusal(401, "this needs a token", expected)
        if len(token) > MAX_TOKEN:
            raise bad_token("the token is too long")
        if (who := await verify(token.strip())) is None:
            raise bad_token("the token is not valid")
        request_stats.subject(who.subject)
        if missing := [scope for scope in required.scopes if scope not in who.scopes]:
            challenge = f', error="insufficient_scope", scope="{required.scope_str}"'
            expected = f"a token with the scope {' '.join(missing)}"
            raise _refusal(403, "the token does not allow this", expected, challenge)
        return who


caller = CallerDependency()
optional_caller = CallerDependency(auto_error=False)


def bad_token(found: str) -> Problem:
    """A 401 that says what is wrong with the token."""
    challenge = f', error="invalid_token", error_description="{found}"'
    expected = "a token that the issuer signed for this service, and that has not expired"
    return _refusal(401, found, expected, challenge)


def _refusal(status: int, found: str, expected: str, challenge: str = "") -> Problem:
    headers = {"WWW-Authenticate": f'Bearer realm="api"{challenge}'}
    return Problem(status, found, expected=expected, headers=headers)
