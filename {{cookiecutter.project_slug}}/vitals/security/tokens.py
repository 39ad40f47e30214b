"""JSON Web Tokens of one issuer: RFC 7519 and RFC 8725.

Of RFC 9068 the header `typ` is verified where the issuer sets it: access tokens are `at+jwt`, but
many issuers write `JWT` or nothing. Tokens of any other type are refused.
"""

import base64
import json
from contextlib import suppress
from functools import partial
from typing import Any

import jwt

from vitals.security.callers import Caller, bad_token
from vitals.security.jwks import MALFORMED, JwksCache

REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for another service",
    jwt.InvalidIssuerError: "the token is from another issuer",
}
TYPES = {"at+jwt", "application/at+jwt", "jwt"}
LEEWAY_SECONDS = 10  # by which clocks may differ
REQUIRED_CLAIMS = {"require": ["exp", "iss", "aud"]}


class JwtVerifier:
    """Verifies tokens for one audience. The key, not the token, decides on the algorithm.

    `scopes_claim` holds the scopes, as a text with spaces or as a list: `scope` (RFC 9068) at most
    issuers, `scp` or `permissions` at others.
    """

    def __init__(
        self, keys: JwksCache, issuer: str, audience: str, scopes_claim: str = "scope"
    ) -> None:
        self._keys, self._scopes_claim = keys, scopes_claim
        rules: dict[str, Any] = {"options": REQUIRED_CLAIMS, "leeway": LEEWAY_SECONDS}
        self._decode = partial(jwt.decode, issuer=issuer, audience=audience, **rules)

    async def verify(self, token: str) -> Caller:
        """The caller that a valid token names. Raises Problem 401, or 503 without the keys."""
        try:
            header = _header(token)
            if str(header.get("typ", "JWT")).lower() not in TYPES:
                raise bad_token("the token is of another type")
            claims = await self._claims(token, header["alg"], header.get("kid"))
            given = claims.get(self._scopes_claim, "")
            scopes = frozenset((" ".join(given) if isinstance(given, list) else given).split())
        except MALFORMED as error:
            raise bad_token(REASONS.get(type(error), "the token is not valid")) from error
        return Caller(str(claims.get("sub", "")), scopes, claims)

    async def _claims(self, token: str, algorithm: str, kid: str | None) -> dict[str, Any]:
        """The claims, once one of the keys has verified the signature."""
        for newer in (False, True):
            if not (keys := await self._keys.get(kid, newer=newer)):
                raise bad_token("the token is signed with an unknown key")
            for key in keys:
                if key.algorithm_name != algorithm:
                    continue
                with suppress(jwt.InvalidSignatureError):
                    return self._decode(token, key, algorithms=[key.algorithm_name])
            if kid is not None and any(key.key_id == kid for key in keys):
                break  # otherwise the issuer may have changed its keys
        raise jwt.InvalidSignatureError


def _header(token: str) -> dict[str, Any]:
    """The header: type, key and algorithm are all that is used before the signature is verified."""
    header = token.partition(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(header + "==")))
