"""What is the running service asked? A row for each request, by the name that the checks use."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from app.settings import Settings
from ops.token import Issuer

JSON = {"Content-Type": "application/json"}
SCOPE = "items:write"
ITEMS, ATTACHMENT = "/items", "/items/1/attachment"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = b""


def requests(
    settings: Settings,
    issuer: Issuer,
    stranger: Issuer,
    canaries: Mapping[str, str],
    description: Mapping[str, Any],
) -> dict[str, Request]:
    """All requests, in the order in which they are sent."""
    return (
        _plain(settings, canaries)
        | _tokens(issuer, stranger, canaries)
        | _too_much(settings, issuer)
        | _without_token(description)
    )


def _plain(settings: Settings, canaries: Mapping[str, str]) -> dict[str, Request]:
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
        "foreign host": Request("GET", ITEMS, {"Host": "foreign.example"}),
        "foreign origin": Request("GET", "/livez", foreign),
        "foreign preflight": Request("OPTIONS", ITEMS, foreign | preflight),
        "forged line": Request("GET", "/nowhere%0a%0dFORGED%1b[31m", {"X-Request-ID": "a b;c"}),
        "long page": Request("GET", f"{ITEMS}?limit=1000000"),
        "bad query": Request("GET", f"{ITEMS}?limit={canaries['query']}"),
        "operators": Request("GET", "/metrics", {"Authorization": f"Bearer {canaries['token']}"}),
        "metrics": Request("GET", "/metrics", operator),
        "health for operators": Request("GET", "/health", operator),
        "status": Request("GET", "/status.json"),
        "status page": Request("GET", "/status"),
        "status for operators": Request("GET", "/status.json", operator),
        "status page for operators": Request("GET", "/status", operator),
        "clear cache": Request("DELETE", "/cache/items"),
    }


def _tokens(issuer: Issuer, stranger: Issuer, canaries: Mapping[str, str]) -> dict[str, Request]:
    good = bearer(issuer.token(SCOPE, sub=canaries["token"]))
    claims = jwt.decode(issuer.token(SCOPE), options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": issuer.key_id})
    wrong = f'{{"name": "{canaries["body"]}\\u0000", "price": "{canaries["body"]}"}}'.encode()
    upload = canaries["upload"].encode()
    later = time.time() + 600
    return {
        "no token": Request("POST", ITEMS, JSON, wrong),
        "no scope": Request("POST", ITEMS, JSON | bearer(issuer.token("other")), wrong),
        "unsigned": Request("POST", ITEMS, JSON | bearer(unsigned), wrong),
        "stranger": Request("POST", ITEMS, JSON | bearer(stranger.token(SCOPE)), wrong),
        "expired": Request("POST", ITEMS, JSON | bearer(issuer.token(SCOPE, minutes=-1)), wrong),
        "too early": Request("POST", ITEMS, JSON | bearer(issuer.token(SCOPE, nbf=later)), wrong),
        "other audience": Request(
            "POST", ITEMS, JSON | bearer(issuer.token(SCOPE, aud="x")), wrong
        ),
        "other issuer": Request("POST", ITEMS, JSON | bearer(issuer.token(SCOPE, iss="x")), wrong),
        "garbage": Request("POST", ITEMS, JSON | bearer(canaries["token"]), wrong),
        "invalid": Request("POST", ITEMS, JSON | good, wrong),
        "unknown field": Request(
            "POST", ITEMS, JSON | good, b'{"name": "tea", "price": 1, "admin": true}'
        ),
        "nan": Request("POST", ITEMS, JSON | good, b'{"name": "tea", "price": NaN}'),
        "deep": Request("POST", ITEMS, JSON | good, b"[" * 100_000),
        "form": Request("POST", ITEMS, good | {"Content-Type": "text/plain"}, wrong),
        "page as image": Request(
            "PUT", ATTACHMENT, good | {"Content-Type": "image/png"}, b"<html>" + upload
        ),
        "script": Request("PUT", ATTACHMENT, good | {"Content-Type": "text/html"}, upload),
    }


def _too_much(settings: Settings, issuer: Issuer) -> dict[str, Request]:
    good = bearer(issuer.token(SCOPE))
    more = settings.max_body_bytes + 1
    chunk = b"%x\r\n" % more + b" " * more + b"\r\n0\r\n\r\n"
    image = good | {"Content-Type": "image/png"}
    return {
        "declared": Request("POST", ITEMS, JSON | good | {"Content-Length": str(more)}, None),
        "chunked": Request("POST", ITEMS, JSON | good | {"Transfer-Encoding": "chunked"}, chunk),
        "upload": Request(
            "PUT", ATTACHMENT, image | {"Content-Length": str(settings.max_upload_bytes + 1)}, None
        ),
        "long headers": Request("GET", "/livez", {"X-Long": "x" * settings.max_header_bytes}),
        "long path": Request("GET", "/" + "x" * settings.max_header_bytes),
    }


def _without_token(description: Mapping[str, Any]) -> dict[str, Request]:
    """Each operation of the service, as somebody calls it whom nobody knows."""
    return {
        f"{method.upper()} {path}": Request(method.upper(), re.sub("{[^}]*}", "1", path))
        for path, operations in description["paths"].items()
        for method in operations
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
