"""Is a token good, and what does it allow? JSON Web Tokens: RFC 7519, RFC 8725 and RFC 9068."""

import base64
import json
from collections.abc import Collection

import jwt

from vitals.security.guard import bad_token
from vitals.security.jwks import MALFORMED, Keys

WORDS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for somebody else",
    jwt.InvalidIssuerError: "the token is of another issuer",
}
REQUIRED = {"require": ["exp", "iss", "aud"]}


class Tokens:
    """Tokens of one issuer for one audience. The key, not the token, decides on the algorithm."""

    def __init__(self, keys: Keys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str) -> Collection[str]:
        """The scopes that a good token grants. Raises Problem 401, or 503 without the keys."""
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
                options=REQUIRED,  # type: ignore[arg-type]
            )
            scopes: list[str] = claims.get("scope", "").split()
        except MALFORMED as error:
            raise bad_token(WORDS.get(type(error), "this is no good token")) from error
        return scopes


def _key_id(token: str) -> str:
    """The `kid` of the header, which is all that is believed before the signature is checked."""
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=="))["kid"])
