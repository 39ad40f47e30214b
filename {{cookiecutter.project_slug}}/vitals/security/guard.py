"""Who may call which route? Each one states it, and one that states nothing stops the start.

A route states it with a guard among its dependencies, `Depends(allows("items:write"))`, or with
`openapi_extra=PUBLIC` if everybody may call it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import iter_route_contexts
from fastapi.security.base import SecurityBase

from vitals.problems import Problem

PUBLIC: dict[str, Any] = {"security": []}  # OpenAPI's way to say it
REALM = 'Bearer realm="api"'
MAX_TOKEN = 8_192  # characters

Verify = Callable[[str], Awaitable[Collection[str]]]


class Allows(SecurityBase):
    """A guard: lets those pass whose token grants `scope`; everybody if there is no `verify`.

    Raises Problem 401 (RFC 6750) without a good token, and 403 if it does not reach that far.
    """

    def __init__(self, verify: Verify | None, scope: str) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="a token of the issuer")
        self.scheme_name = "token"
        self.scope = scope
        self.verify = verify

    async def __call__(self, request: Request) -> None:
        if self.verify is None or request.scope.get("granted") is self:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            expected = "a bearer token in the Authorization header"
            headers = {"WWW-Authenticate": REALM}
            raise Problem(401, "this needs a token", expected=expected, headers=headers)
        if len(token) > MAX_TOKEN:
            raise bad_token("the token is too long")
        if self.scope not in await self.verify(token.strip()):
            challenge = f'{REALM}, error="insufficient_scope", scope="{self.scope}"'
            expected = f"a token with the scope {self.scope}"
            headers = {"WWW-Authenticate": challenge}
            raise Problem(403, "the token does not allow this", expected=expected, headers=headers)
        request.scope["granted"] = self


def bad_token(found: str) -> Problem:
    """A 401 that says what is wrong with the token."""
    challenge = f'{REALM}, error="invalid_token", error_description="{found}"'
    expected = "a token that the issuer gave for this service, signed and in its time"
    return Problem(401, found, expected=expected, headers={"WWW-Authenticate": challenge})


def faults(service: FastAPI, *, everybody: bool) -> list[str]:
    """A line for each route that states nothing, and for each whose guard is off.

    Guards may be off where `everybody` may do everything: local and test.
    """
    lines = []
    for name, guards, public in _stated(service):
        if not guards and not public:
            way_out = "add Depends(allows(...)) to its dependencies, or openapi_extra=PUBLIC"
            lines.append(f"{name}: states nothing; expected who may call it; {way_out}")
        for guard in guards:
            if isinstance(guard, Allows) and guard.verify is None and not everybody:
                expected = "expected jwt where a route is not public"
                lines.append(f"APP_AUTH: off, but {name} needs {guard.scope}; {expected}")
    return lines


def _stated(service: FastAPI) -> Iterator[tuple[str, list[SecurityBase], bool]]:
    """Each route, its guards, and whether it says that it is public."""
    for route in iter_route_contexts(service.routes):
        name = f"{' '.join(sorted(route.methods or ()))} {route.path}"
        dependant = getattr(route, "dependant", None)
        called = [each.call for each in dependant.dependencies] if dependant else []
        guards = [call for call in called if isinstance(call, SecurityBase)]
        extra = getattr(route, "openapi_extra", None) or {}
        yield name, guards, extra.get("security") == []
