"""The requests that the running service is sent: each operation of its description, in each kind.

Bodies and parameters are made from the description, so that valid ones reach the handlers.
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import jwt

from vitals.ops.project.token import Issuer

PUBLIC, VALID = "without a token", "with a valid token"
ANOTHER_SCOPE, INVALID = "with another scope", "with an invalid token"
OPERATORS = ("/health", "/metrics", "/status", "/status.json")
OF_THE_ENGINE = ("/livez", "/readyz", "/health")
FOREIGN = "https://foreign.example"
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "somebody@mail.internal",
    "uri": "https://host.internal/",
    "uuid": "6f1c1d3e-8a5f-4a8e-9d55-0c2b9f3c9a11",
}
Description = Mapping[str, Any]  # OpenAPI, or a part of it
Sent = tuple[str, str, httpx.Request]  # the operation, how it is sent, the request


def requests(
    client: httpx.Client, description: Description, issuer: Issuer, canaries: dict[str, str]
) -> Iterator[Sent]:
    """All requests; adds the signature of the valid token to the canaries."""
    operations = operations_of(description)
    scopes = " ".join({scope for each in operations.values() for scope in scopes_of(each)})
    valid = issuer.token(scopes)
    canaries["token"] = valid.rpartition(".")[2]
    headers = {"X-Canary": canaries["header"], "Cookie": canaries["header"], "Origin": FOREIGN}
    invalid = invalid_tokens(issuer, scopes)
    for name, operation in operations.items():
        tokens = {PUBLIC: ""}
        if operation.get("security"):
            tokens |= {VALID: valid, **invalid}
        if scopes_of(operation):
            tokens[ANOTHER_SCOPE] = issuer.token("another")
        method, path, content = _sample(name, operation, description, canaries)
        for kind, token in tokens.items():
            sent = headers | (bearer(token) if token else {})
            yield name, kind, client.build_request(method, path, headers=sent, **content)
    for path in (f"/defect?say={canaries['defect']}", f"/no-such-path?say={canaries['query']}"):
        name = f"GET {path.partition('?')[0]}"
        yield name, PUBLIC, client.build_request("GET", path, headers=headers)
    for path in OPERATORS:
        request = client.build_request("GET", path, headers=bearer(canaries["APP_OPS_TOKEN"]))
        yield f"GET {path}", "for operators", request


def operations_of(description: Description) -> dict[str, Description]:
    """The service's own operations in the description, such as "POST /items"."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in description.get("paths", {}).items()
        if path not in OF_THE_ENGINE
        for method, operation in methods.items()
    }


def scopes_of(operation: Description) -> set[str]:
    """The scopes that an operation requires."""
    required = (scopes for each in operation.get("security", ()) for scopes in each.values())
    return {scope for scopes in required for scope in scopes}


def invalid_tokens(issuer: Issuer, scopes: str) -> dict[str, str]:
    """Tokens that no guard may accept, by what is wrong with each."""
    claims = jwt.decode(issuer.token(scopes), options={"verify_signature": False})
    return {
        f"{INVALID}: of an unknown issuer": Issuer().token(scopes),
        f"{INVALID}: unsigned": jwt.encode(claims, "", algorithm="none"),
        f"{INVALID}: expired": issuer.token(scopes, minutes=-10),
        f"{INVALID}: not valid yet": issuer.token(scopes, nbf=time.time() + 600),
        f"{INVALID}: never expires": issuer.token(scopes, exp=None),
        f"{INVALID}: for another audience": issuer.token(scopes, aud="another"),
        f"{INVALID}: no token": "no-token",
    }


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def resolve(schema: Description, description: Description) -> Description:
    """The schema that a reference names."""
    if "$ref" not in schema:
        return schema
    found: Description = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _sample(
    name: str, operation: Description, description: Description, canaries: Mapping[str, str]
) -> tuple[str, str, dict[str, Any]]:
    """Method, path and content of a valid request, with a canary in its query and its body."""
    method, _, path = name.partition(" ")
    query = {"canary": canaries["query"]}
    for parameter in operation.get("parameters", ()):
        given = str(_value(parameter["schema"], description, "1"))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(given, safe=""))
        elif parameter["in"] == "query" and parameter.get("required"):
            query[parameter["name"]] = given
    content: dict[str, Any] = {"params": query}
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        schema = resolve(body.get("schema", {}), description)
        made = _value(schema, description, canaries["body"])
        if kind == "application/json":
            return method, path, content | {"json": made}
        if kind == "multipart/form-data":
            fields = schema.get("properties", {}).items()
            files = {n for n, f in fields if "binary" in f.values() or "contentMediaType" in f}
            parts = {
                n: ("canary.txt", str(v)) if n in files else (None, str(v)) for n, v in made.items()
            }
            return method, path, content | {"files": parts}
        form = kind == "application/x-www-form-urlencoded"
        return method, path, content | ({"data": made} if form else {"content": canaries["body"]})
    return method, path, content


def _value(schema: Description, description: Description, text: str) -> Any:
    """A value that fits the schema; a string that may be `text` is."""
    schema = resolve(schema, description)
    fits = re.search(schema.get("pattern", ""), text) and not {"format", "enum"} & schema.keys()
    if schema.get("type") == "string" and fits and len(text) <= schema.get("maxLength", len(text)):
        return text.ljust(schema.get("minLength", 0), "x")
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _value(schema[key][0], description, text)
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {}).items()
            return {name: _value(field, description, text) for name, field in fields}
        case "array":
            return [_value(schema.get("items", {}), description, text)]
        case "integer" | "number":
            lowest = max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
            return min(lowest, schema.get("maximum", lowest))
        case "boolean":
            return True
        case _:
            return FORMATS.get(schema.get("format", ""), text[: schema.get("maxLength")])
