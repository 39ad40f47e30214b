"""What is the running service asked? A row for each request, by the name that the checks use.

What writes is the first seed of config/slo.toml, what takes a file is looked up in the description;
where there is no such route, its rows are left out.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jwt

from vitals.ops.measure import load
from vitals.ops.project.token import Issuer
from vitals.ops.run import shell
from vitals.settings import Settings

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = b""


@dataclass(frozen=True)
class Writing:
    """How the service is written to: a body that it takes, and a token that allows it."""

    method: str
    path: str
    body: Mapping[str, Any]
    scopes: str

    def sent(self, headers: Mapping[str, str], body: bytes | None) -> Request:
        return Request(self.method, self.path, {**JSON, **headers}, body)

    def filled(self, value: object) -> bytes:
        """A body with this in each of its fields."""
        return json.dumps(dict.fromkeys(self.body, value)).encode()


def requests(
    settings: Settings,
    issuer: Issuer,
    stranger: Issuer,
    canaries: Mapping[str, str],
    description: Mapping[str, Any],
) -> dict[str, Request]:
    """All requests, in the order in which they are sent."""
    plan = load.read(shell.ROOT)
    good = bearer(issuer.token(plan.scopes, sub=canaries["token"]))
    asked = _plain(settings, canaries, plan.routes[0].request.path.partition("?")[0], good)
    for seed in plan.seeds[:1]:
        writing = Writing(seed.method, seed.path, seed.body, plan.scopes)
        wrong = writing.filled(canaries["body"] + "\0")
        asked |= _tokens(writing, issuer, stranger, canaries["token"], wrong)
        asked |= _bodies(writing, good, wrong) | _too_much(writing, good, settings.max_body_bytes)
    for method, path in _uploads(description):
        asked |= _files(Request(method, path, good), canaries["upload"], settings.max_upload_bytes)
    return asked | _without_token(description)


def _plain(
    settings: Settings, canaries: Mapping[str, str], path: str, good: dict[str, str]
) -> dict[str, Request]:
    foreign = {"Origin": "https://foreign.example"}
    operator = bearer(settings.ops_token.get_secret_value())
    preflight = {"Access-Control-Request-Method": "PUT"}
    sent = {"X-Canary": canaries["header"], "Cookie": canaries["header"]}
    return {
        "ok": Request("GET", "/livez", sent),
        "health": Request("GET", "/health"),
        "not found": Request("GET", f"/nowhere?say={canaries['query']}", sent),
        "wrong method": Request("DELETE", "/livez"),
        "trace": Request("TRACE", "/livez"),
        "defect": Request("GET", f"/defect?say={canaries['exception']}"),
        "page": Request("GET", "/docs"),
        "foreign host": Request("GET", path, {"Host": "foreign.example"}),
        "foreign origin": Request("GET", "/livez", foreign),
        "foreign preflight": Request("OPTIONS", path, foreign | preflight),
        "forged line": Request("GET", "/nowhere%0a%0dFORGED%1b[31m", {"X-Request-ID": "a b;c"}),
        "long page": Request("GET", f"{path}?limit=1000000", good),
        "bad query": Request("GET", f"{path}?limit={canaries['query']}"),
        "operators": Request("GET", "/metrics", {"Authorization": f"Bearer {canaries['token']}"}),
        "metrics": Request("GET", "/metrics", operator),
        "health for operators": Request("GET", "/health", operator),
        "status": Request("GET", "/status.json"),
        "status page": Request("GET", "/status"),
        "status for operators": Request("GET", "/status.json", operator),
        "status page for operators": Request("GET", "/status", operator),
        "clear cache": Request("DELETE", "/cache/any"),
        "long headers": Request("GET", "/livez", {"X-Long": "x" * settings.max_header_bytes}),
        "long path": Request("GET", "/" + "x" * settings.max_header_bytes),
    }


def _tokens(
    writing: Writing, issuer: Issuer, stranger: Issuer, garbage: str, wrong: bytes
) -> dict[str, Request]:
    scopes, later = writing.scopes, time.time() + 600
    claims = jwt.decode(issuer.token(scopes), options={"verify_signature": False})
    bad = {
        "no scope": issuer.token("other"),
        "unsigned": jwt.encode(claims, "", algorithm="none", headers={"kid": issuer.key_id}),
        "stranger": stranger.token(scopes),
        "expired": issuer.token(scopes, minutes=-1),
        "too early": issuer.token(scopes, nbf=later),
        "other audience": issuer.token(scopes, aud="x"),
        "other issuer": issuer.token(scopes, iss="x"),
        "garbage": garbage,
    }
    asked = {name: writing.sent(bearer(token), wrong) for name, token in bad.items()}
    return {"no token": writing.sent({}, wrong)} | asked


def _bodies(writing: Writing, good: dict[str, str], wrong: bytes) -> dict[str, Request]:
    numbers = [name for name, value in writing.body.items() if isinstance(value, int | float)]
    no_numbers = dict.fromkeys(numbers or writing.body, float("nan"))
    return {
        "invalid": writing.sent(good, wrong),
        "unknown field": writing.sent(good, json.dumps({**writing.body, "admin": True}).encode()),
        "nan": writing.sent(good, json.dumps({**writing.body, **no_numbers}).encode()),
        "deep": writing.sent(good, b"[" * 100_000),
        "form": writing.sent(good | {"Content-Type": "text/plain"}, wrong),
    }


def _too_much(writing: Writing, good: dict[str, str], max_bytes: int) -> dict[str, Request]:
    more = max_bytes + 1
    chunk = b"%x\r\n" % more + b" " * more + b"\r\n0\r\n\r\n"
    return {
        "declared": writing.sent(good | {"Content-Length": str(more)}, None),
        "chunked": writing.sent(good | {"Transfer-Encoding": "chunked"}, chunk),
    }


def _files(to: Request, content: str, max_bytes: int) -> dict[str, Request]:
    image = {**to.headers, "Content-Type": "image/png"}
    script = {**to.headers, "Content-Type": "text/html"}
    return {
        "page as image": replace(to, headers=image, body=f"<html>{content}".encode()),
        "script": replace(to, headers=script, body=content.encode()),
        "upload": replace(to, headers=image | {"Content-Length": str(max_bytes + 1)}, body=None),
    }


def _uploads(description: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The first operation that takes something else than JSON."""
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", JSON.values())
            if JSON["Content-Type"] not in content:
                yield method.upper(), _address(path)
                return


def _without_token(description: Mapping[str, Any]) -> dict[str, Request]:
    """Each operation of the service, as somebody calls it whom nobody knows."""
    return {
        f"{method.upper()} {path}": Request(method.upper(), _address(path))
        for path, operations in description["paths"].items()
        for method in operations
    }


def _address(path: str) -> str:
    """A path with something in the place of its parameters."""
    return re.sub("{[^}]*}", "1", path)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
