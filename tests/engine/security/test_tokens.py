"""JSON Web Tokens: a valid one names its caller, and any other is refused."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import APIRouter, FastAPI, Security

import vitals
from tests.engine.applications import install
from tests.engine.security import issuer as process
from vitals import Caller, caller, testing
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


@pytest.mark.parametrize(
    ("claim", "given"),
    [
        ("scope", "items:read items:write"),
        ("scp", "items:read items:write"),
        ("scp", ["items:read", "items:write"]),
        ("permissions", ["items:read", "items:write"]),
    ],
)
async def test_scopes_are_a_text_or_a_list_in_the_claim_that_install_names(
    issuer: Issuer, tmp_path: Path, claim: str, given: Any
) -> None:
    app, routes = FastAPI(), APIRouter()

    @routes.get("/mine")
    async def mine(who: Annotated[Caller, Security(caller, scopes=["items:write"])]) -> list[str]:
        return sorted(who.scopes)

    app.include_router(routes)
    chosen = {"auth": "jwt", "auth_issuer": issuer.name, "auth_audience": issuer.audience}
    keys = {"auth_jwks_url": (tmp_path / "jwks.json").as_uri()}
    install(app, {"scopes_claim": claim}, **chosen, **keys)
    claims: dict[str, Any] = {"scope": "another", claim: given}
    token = issuer.token(**claims)
    async with testing.client(app) as client:
        answer = await client.get("/mine", headers={"authorization": f"Bearer {token}"})

    assert answer.json() == ["items:read", "items:write"]


@pytest.mark.parametrize("given", [None, 1, {"items:write": True}, [["items:write"]]])
async def test_scopes_of_another_type_are_refused(
    issuer: Issuer, tokens: JwtVerifier, given: Any
) -> None:
    with pytest.raises(Problem, match="the token is not valid"):
        await tokens.verify(issuer.token(scope=given))


def signed(issuer: Issuer, algorithm: str, key: Any, kid: str | None = "its own") -> str:
    claims = jwt.decode(issuer.token("items:write"), options={"verify_signature": False})
    headers = {} if kid is None else {"kid": issuer.key_id if kid == "its own" else kid}
    return jwt.encode(claims, key, algorithm, headers=headers)


def retyped(issuer: Issuer, kind: Any) -> str:
    """A token of another type, signed as it should be."""
    payload = issuer.token("items:write").split(".")[1]
    signing = f"{part({'alg': 'ES256', 'kid': issuer.key_id, 'typ': kind})}.{payload}"
    signature = jwt.get_algorithm_by_name("ES256").sign(signing.encode(), issuer.key)
    return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


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
    "expired by more than the leeway": (lambda i: i.token(exp=time.time() - 12), "expired"),
    "not valid yet": (lambda i: i.token(nbf=time.time() + 60), "not valid yet"),
    "issued later than the leeway": (lambda i: i.token(iat=time.time() + 15), "not valid yet"),
    "a logout token": (lambda i: retyped(i, "logout+jwt"), "another type"),
    "a type that is no text": (lambda i: retyped(i, ["at+jwt"]), "another type"),
    "for another service": (lambda i: i.token(aud="another"), "another service"),
    "of another issuer": (lambda i: i.token(iss="https://other.internal"), "another issuer"),
    "without an end": (lambda i: i.token(exp=None), "not valid"),
    "scopes that are no text": (lambda i: i.token(scope=["items:write", 1]), "not valid"),
    "no token at all": (lambda _: "hunter2", "not valid"),
    "empty parts": (lambda _: "..", "not valid"),
    "a header that is a list": (lambda _: f"{part([1])}.e30.x", "not valid"),
    "a header that has no key": (lambda _: f"{part({'alg': 'ES256'})}.e30.x", "not valid"),
    "a header that has no algorithm": (lambda _: f"{part({'kid': 'x'})}.e30.x", "not valid"),
    "no key id, another key": (
        lambda i: signed(i, "ES256", ec.generate_private_key(ec.SECP256R1()), None),
        "not valid",
    ),
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


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize("seconds", [1, 5, 9])
async def test_an_issuer_whose_clock_is_ahead_is_believed(
    issuer: Issuer, tokens: JwtVerifier, claim: str, seconds: int
) -> None:
    caller = await tokens.verify(issuer.token("items:write", **{claim: time.time() + seconds}))

    assert caller.scopes == {"items:write"}


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT"])
async def test_an_access_token_of_any_usual_type_is_accepted(
    issuer: Issuer, tokens: JwtVerifier, kind: str
) -> None:
    assert (await tokens.verify(retyped(issuer, kind))).scopes == {"items:write"}


def jwk_of(key: Any, **members: Any) -> dict[str, Any]:
    """A public key with no optional member but those that are given."""
    algorithms: dict[type, Any] = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    kind = next(found for of, found in algorithms.items() if isinstance(key, of))
    full: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    needed = ("kty", "n", "e", "crv", "x", "y")
    return {name: full[name] for name in needed if name in full} | members


P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
OPTIONAL = [
    (STRANGERS, "RS256"),
    (STRANGERS, "PS256"),
    (STRANGERS, "RS512"),
    (P256, "ES256"),
    (P384, "ES384"),
    (ED25519, "EdDSA"),
]


@pytest.mark.parametrize("listed_kid", [None, "1"])
@pytest.mark.parametrize("sent_kid", [None, "1"])
@pytest.mark.parametrize(("key", "algorithm"), OPTIONAL)
async def test_key_ids_and_algorithms_are_optional(
    issuer: Issuer,
    tokens: JwtVerifier,
    tmp_path: Path,
    key: Any,
    algorithm: str,
    listed_kid: str | None,
    sent_kid: str | None,
) -> None:
    others = [jwk_of(each) for each in (WEAK, STRANGERS, P256, P384, ED25519) if each is not key]
    ours = jwk_of(key, **({"kid": listed_kid} if listed_kid else {}))
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [*others, ours]}))

    caller = await tokens.verify(signed(issuer, algorithm, key, sent_kid))

    assert caller.scopes == {"items:write"}


@pytest.mark.parametrize(
    ("members", "algorithm"),
    [({"alg": "RS256"}, "PS256"), ({"use": "enc"}, "RS256"), ({"key_ops": ["encrypt"]}, "RS256")],
)
async def test_a_key_is_used_only_for_what_it_is_listed_for(
    issuer: Issuer, tokens: JwtVerifier, tmp_path: Path, members: dict[str, Any], algorithm: str
) -> None:
    listed = [issuer.jwk(), jwk_of(STRANGERS, kid="1", **members)]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": listed}))

    with pytest.raises(Problem) as refused:
        await tokens.verify(signed(issuer, algorithm, STRANGERS, "1"))

    assert refused.value.status == 401


@pytest.mark.usefixtures("no_pause")
async def test_an_issuer_without_key_ids_may_change_its_key(
    issuer: Issuer, tokens: JwtVerifier, tmp_path: Path
) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [jwk_of(P256)]}))
    await tokens.verify(signed(issuer, "ES256", P256, None))
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [jwk_of(issuer.key)]}))

    await tokens.verify(signed(issuer, "ES256", issuer.key, None))

    with pytest.raises(Problem, match="not valid"):
        await tokens.verify(signed(issuer, "ES256", P256, None))


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
    monkeypatch.setattr(jwks, "REFRESH_SECONDS", 0)

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


async def test_keys_that_were_not_confirmed_for_too_long_are_not_trusted(
    issuer: Issuer, tokens: JwtVerifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tokens.verify(issuer.token())
    (tmp_path / "jwks.json").unlink()
    now = time.monotonic()
    monkeypatch.setattr(jwks.time, "monotonic", lambda: now + jwks.MAX_AGE_SECONDS - 1)
    await tokens.verify(issuer.token())

    monkeypatch.setattr(jwks.time, "monotonic", lambda: now + 2 * jwks.MAX_AGE_SECONDS)
    with pytest.raises(Problem, match="not available") as refused:
        await tokens.verify(issuer.token())
    publish(tmp_path, issuer)
    monkeypatch.setattr(jwks.time, "monotonic", lambda: now + 3 * jwks.MAX_AGE_SECONDS)

    assert refused.value.status == 503
    await tokens.verify(issuer.token())


async def test_a_firewall_that_refuses_pythons_user_agent_is_told_the_services_name(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI(title="Ördërs\r\nAPI (new)")

    @app.get("/", dependencies=[Security(vitals.caller)])
    async def read() -> None: ...

    with process.serving(tmp_path) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        chosen = {"auth": "jwt", "auth_issuer": issuer.name, "auth_audience": issuer.audience}
        install(app, **chosen, auth_jwks_url=f"{address}/waf.json", version="v1.2")
        async with testing.client(app) as client:
            headers = {"authorization": f"Bearer {issuer.token()}"}
            answer = await client.get("/", headers=headers)

    assert answer.status_code == 200
    assert (tmp_path / "agents").read_text() == "-rd-rs-API-new-/v1.2"


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("path", process.HOSTILE)
async def test_a_hostile_key_endpoint_costs_one_short_fetch_and_known_keys_stay(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.5)
    with process.serving(tmp_path) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        keys = JwksCache(f"{address}/jwks.json")
        tokens = JwtVerifier(keys, issuer.name, issuer.audience)
        await tokens.verify(issuer.token())
        keys._url = address + path

        with pytest.raises(Problem, match="not available") as refused:
            await tokens.verify(Issuer().token())
        async with asyncio.timeout(20):  # by itself it would never end
            while keys._fetching is not None:
                await asyncio.wait([keys._fetching])
        await tokens.verify(issuer.token())
        keys._url = f"{address}/jwks.json"
        with pytest.raises(Problem, match="unknown key"):
            await tokens.verify(Issuer().token())

    assert refused.value.status == 503
