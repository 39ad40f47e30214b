"""JSON Web Tokens of one issuer: RFC 7519, RFC 8725 and RFC 9068."""

import base64
import json

import jwt

from vitals.security.callers import Caller, bad_token
from vitals.security.jwks import MALFORMED, JwksCache

REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for another service",
    jwt.InvalidIssuerError: "the token is from another issuer",
}
REQUIRED_CLAIMS = {"require": ["exp", "iss", "aud"]}


class JwtVerifier:
    """Verifies tokens for one audience. The key, not the token, decides on the algorithm."""

    def __init__(self, keys: JwksCache, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str) -> Caller:
        """The caller that a valid token names. Raises Problem 401, or 503 without the keys."""
        try:
            key = await self._keys.get(_key_id(token))
            if key is None:
                raise bad_token("the token is signed with an unknown key")
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                options=REQUIRED_CLAIMS,  # type: ignore[arg-type]
            )
            scopes = frozenset(claims.get("scope", "").split())
        except MALFORMED as error:
            raise bad_token(REASONS.get(type(error), "the token is not valid")) from error
        return Caller(str(claims.get("sub", "")), scopes, claims)


def _key_id(token: str) -> str:
    """The `kid` of the header: the only part that is used before the signature is verified."""
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=="))["kid"])
