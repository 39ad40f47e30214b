"""Short-lived tokens: `make token SCOPES="items:write"`. Also the issuer of tests and rehearsals.

The private key lies in build/issuer, the public one beside it as a JWKS. A service accepts these
tokens only if it is started with the settings that are printed with them.
"""

import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

FOLDER = shell.ROOT / "build" / "issuer"
MINUTES = 15


class Issuer:
    """Signs tokens with its own key (ES256)."""

    name = "https://issuer.internal"
    audience = "api"

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None, key_id: str = "") -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.key_id = key_id or secrets.token_hex(8)

    def token(self, *scopes: str, minutes: float = MINUTES, **claims: Any) -> str:
        """A token that grants the scopes; `claims` replace the usual ones."""
        now = int(time.time())
        usual = {"iss": self.name, "aud": self.audience, "sub": "trial"}
        times = {"iat": now, "nbf": now, "exp": now + int(minutes * 60)}
        more = {"jti": secrets.token_hex(8), "scope": " ".join(scopes)}
        signed = usual | times | more | claims
        return jwt.encode(signed, self.key, algorithm="ES256", headers={"kid": self.key_id})

    def jwk(self) -> dict[str, Any]:
        """The public key (RFC 7517)."""
        described: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return described | {"kid": self.key_id, "alg": "ES256", "use": "sig"}

    def settings(self, folder: Path) -> dict[str, str]:
        """The settings of a service that accepts these tokens."""
        return {
            "APP_AUTH": "jwt",
            "APP_AUTH_ISSUER": self.name,
            "APP_AUTH_AUDIENCE": self.audience,
            "APP_AUTH_JWKS_URL": (folder / "jwks.json").resolve().as_uri(),
        }


def publish(folder: Path, *issuers: Issuer) -> None:
    """Write the public keys where a service looks for them, atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "jwks.json.new"
    written.write_text(json.dumps({"keys": [issuer.jwk() for issuer in issuers]}))
    written.replace(folder / "jwks.json")


def stored(folder: Path) -> Issuer:
    """The issuer whose key lies in the folder; it is made on first use."""
    file = folder / "key.pem"
    if not file.exists():
        issuer = Issuer()
        publish(folder, issuer)
        pem = issuer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
        file.write_bytes(pem)
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
        listed = json.loads((folder / "jwks.json").read_text())
    except (OSError, ValueError) as error:
        raise Refused(f"{file}: {error}", "the key that was written", f"rm -r {folder}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Refused(f"{file} holds another kind of key", "a P-256 key", f"rm -r {folder}")
    return Issuer(key, listed["keys"][0]["kid"])


def main() -> None:
    """Print a token, and the settings of a service that accepts it."""
    issuer, scopes = stored(FOLDER), os.environ.get("SCOPES", "").split()
    steps.say(issuer.token(*scopes))
    granted = " ".join(scopes) or 'none; SCOPES="items:write" grants one'
    steps.say(f"\nScopes: {granted}")
    steps.say(f"Valid for {MINUTES} minutes, at a service that is started with:")
    for name, value in issuer.settings(FOLDER).items():
        steps.say(f"  {name}={value}")


if __name__ == "__main__":
    steps.exit_with(main)
