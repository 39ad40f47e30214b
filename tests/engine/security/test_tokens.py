"""JSON Web Tokens: a valid one names its caller, and any other is refused."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.engine.security import issuer as process
from vitals.ops.project.token import Issuer, publish
from vitals.problems import Problem
from vitals.security import jwks
from vitals.security.jwks import JwksCache
from vitals.security.tokens import JwtVerifier

Forge = Callable[[Issuer], str]


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    issuer = Issuer()
    publish(tmp_path, issuer)
    return issuer


@pytest.fixture
def tokens(issuer: Issuer, tmp_path: Path) -> JwtVerifier:
    return JwtVerifier(JwksCache((tmp_path / "jwks.json").as_uri()), issuer.name, issuer.audience)


async def test_a_valid_token_names_its_subject_scopes_and_claims(
    issuer: Issuer, tokens: JwtVerifier
) -> None:
    caller = await tokens.verify(issuer.token("items:write", "more", sub="shop", tenant="acme"))

    assert (caller.subject, caller.scopes) == ("shop", {"items:write", "more"})
    assert caller.claims["tenant"] == "acme"


def signed(issuer: Issuer, algorithm: str, key: Any, kid: str | None = None) -> str:
    claims = jwt.decode(issuer.token("items:write"), options={"verify_signature": False})
    return jwt.encode(claims, key, algorithm, headers={"kid": kid or issuer.key_id})


def with_public_key_as_secret(issuer: Issuer) -> str:
    pem = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = {"alg": "HS256", "typ": "JWT", "kid": issuer.key_id}
    payload = issuer.token("items:write").split(".")[1]
    signing = f"{part(head)}.{payload}"
    mac = jwt.get_algorithm_by_name("HS256").sign(signing.encode(), pem)
    return f"{signing}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def unsigned(issuer: Issuer) -> str:
    payload = issuer.token("items:write").split(".")[1]
    return f"{part({'alg': 'none', 'kid': issuer.key_id})}.{payload}."


def changed(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    claims = {"iss": issuer.name, "aud": "api", "exp": time.time() + 60, "scope": "items:write"}
    return f"{head}.{part(claims)}.{signature}"


WEAK = rsa.generate_private_key(65537, 1024)
STRANGERS = rsa.generate_private_key(65537, 2048)
BAD: dict[str, tuple[Forge, str]] = {
    "unsigned": (unsigned, "not valid"),
    "the public key as a shared secret": (with_public_key_as_secret, "not valid"),
    "another kind of key": (lambda i: signed(i, "RS256", STRANGERS), "not valid"),
    "another key under a known id": (
        lambda i: signed(i, "ES256", ec.generate_private_key(ec.SECP256R1())),
        "not valid",
    ),
    "an unknown key": (lambda i: signed(i, "ES256", i.key, "unheard-of"), "unknown key"),
    "changed after it was signed": (changed, "not valid"),
    "expired": (lambda i: i.token(minutes=-1), "expired"),
    "not valid yet": (lambda i: i.token(nbf=time.time() + 60), "not valid yet"),
    "for another service": (lambda i: i.token(aud="another"), "another service"),
    "of another issuer": (lambda i: i.token(iss="https://other.internal"), "another issuer"),
    "without an end": (lambda i: i.token(exp=None), "not valid"),
    "scopes that are no text": (lambda i: i.token(scope=["items:write"]), "not valid"),
    "no token at all": (lambda _: "hunter2", "not valid"),
    "empty parts": (lambda _: "..", "not valid"),
    "a header that is a list": (lambda _: f"{part([1])}.e30.x", "not valid"),
    "a header that has no key": (lambda _: f"{part({'alg': 'ES256'})}.e30.x", "not valid"),
    "deep nesting": (
        lambda _: base64.urlsafe_b64encode(b"[" * 5_000).decode() + ".e30.x",
        "not valid",
    ),
    "not text": (lambda _: "\udcff.\x00.é", "not valid"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_401_with_the_reason(
    issuer: Issuer, tokens: JwtVerifier, name: str
) -> None:
    forge, wrong = BAD[name]

    with pytest.raises(Problem, match=wrong) as refused:
        await tokens.verify(forge(issuer))

    assert refused.value.status == 401
    assert 'error="invalid_token"' in refused.value.headers["WWW-Authenticate"]


async def test_a_key_that_is_too_weak_is_ignored(
    issuer: Issuer, tokens: JwtVerifier, tmp_path: Path
) -> None:
    weak = jwt.algorithms.RSAAlgorithm.to_jwk(WEAK.public_key(), as_dict=True)
    strange: list[object] = [
        "no key",
        {},
        {"kty": "RSA"},
        weak | {"alg": "none"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
    ]
    listed = [issuer.jwk(), weak | {"kid": "weak"}, *strange]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": listed}))

    with pytest.raises(Problem, match="unknown key"):
        await tokens.verify(_signed_weakly(issuer))


def _signed_weakly(issuer: Issuer) -> str:
    payload = issuer.token("items:write").split(".")[1]
    signing = f"{part({'alg': 'RS256', 'kid': 'weak'})}.{payload}"
    signature = jwt.get_algorithm_by_name("RS256").sign(signing.encode(), WEAK)
    return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def test_without_any_key_the_answer_is_503_and_no_401(tmp_path: Path) -> None:
    tokens = JwtVerifier(JwksCache((tmp_path / "nowhere.json").as_uri()), "issuer", "api")

    with pytest.raises(Problem, match="not available") as problem:
        await tokens.verify(Issuer().token())

    assert problem.value.status == 503


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0)


@pytest.mark.usefixtures("no_pause")
async def test_a_new_key_is_fetched_once_under_load_and_the_old_one_is_dropped(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process.serving(tmp_path) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        tokens = JwtVerifier(JwksCache(f"{address}/jwks.json"), issuer.name, issuer.audience)
        await tokens.verify(issuer.token())
        publish(tmp_path, rotated := Issuer())

        await asyncio.gather(*(tokens.verify(rotated.token()) for _ in range(100)))

        assert (tmp_path / "requests").read_text() == ".."
        with pytest.raises(Problem, match="unknown key"):
            await tokens.verify(issuer.token())


@pytest.mark.usefixtures("no_pause")
async def test_known_keys_keep_working_while_the_issuer_is_not_available(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process.serving(tmp_path) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        tokens = JwtVerifier(JwksCache(f"{address}/jwks.json"), issuer.name, issuer.audience)
        await tokens.verify(issuer.token())
    monkeypatch.setattr(jwks, "MAX_AGE_SECONDS", 0)

    assert (await tokens.verify(issuer.token("items:write"))).scopes == {"items:write"}
    with pytest.raises(Problem, match="not available"):
        await tokens.verify(Issuer().token())
    assert (await tokens.verify(issuer.token("items:write"))).scopes == {"items:write"}


async def test_keys_of_an_issuer_without_a_trusted_certificate_are_not_used(
    issuer: Issuer, tmp_path: Path
) -> None:
    with process.serving(tmp_path) as address:
        tokens = JwtVerifier(JwksCache(f"{address}/jwks.json"), issuer.name, issuer.audience)

        with pytest.raises(Problem, match="not available"):
            await tokens.verify(issuer.token())
