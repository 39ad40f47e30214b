"""The requests that the running service is sent: each operation, with each kind of credentials."""

import secrets
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import jwt

from vitals.ops.check.security.samples import Schema, is_file, resolve, value
from vitals.ops.project.token import Issuer

PUBLIC, VALID = "without a token", "with a valid token"
ANOTHER_SCOPE, INVALID = "with another scope", "invalid: "
MALFORMED, TRAP, FOR_OPERATORS = "malformed", "with a trap", "for operators"
OPERATORS = ("/health", "/metrics", "/status", "/status.json")
NOTHING_THERE = ("/no-such-path", "/docs", "/redoc", "/openapi.json")
FILES = ("../" * 9 + "etc/passwd", "pyproject.toml")
FOREIGN = "https://foreign.example"
ORDER = ("POST", "PUT", "PATCH", "GET")  # what creates data first, what deletes it last


class Operation(NamedTuple):
    """A method of a path, as OpenAPI describes it; `parts` are the description's components."""

    name: str  # such as "POST /items"
    spec: Schema = MappingProxyType({})
    public: bool = True
    parts: Schema = MappingProxyType({})

    @property
    def schemas(self) -> Schema:
        found: Schema = self.parts.get("schemas", {})
        return found

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.name.partition(" ")[2]

    @property
    def scopes(self) -> set[str]:
        """The scopes that it requires."""
        required = (scopes for each in self.spec.get("security", ()) for scopes in each.values())
        return {scope for scopes in required for scope in scopes}

    @property
    def schemes(self) -> dict[str, Schema]:
        """The ways to say who calls, by their names in the description."""
        names = (name for each in self.spec.get("security", ()) for name in each)
        return {name: self.parts["securitySchemes"][name] for name in names}

    @property
    def parameters(self) -> list[Schema]:
        return list(self.spec.get("parameters", ()))


class Sent(NamedTuple):
    operation: Operation
    kind: str
    request: httpx.Request


class Requests:
    """Makes the requests. What an answer to a POST held is used in the paths below."""

    def __init__(self, client: httpx.Client, issuer: Issuer, canaries: dict[str, str]) -> None:
        self.created: dict[str, Any] = {}  # the answers, by the path that was posted to
        self._client, self._issuer, self._canaries = client, issuer, canaries

    def all(self, operations: list[Operation], defects: int) -> Iterator[Sent]:
        """All requests; adds the signature of the valid token to the canaries."""
        canary = self._canaries["defect"]
        ordered = sorted(operations, key=lambda o: (*ORDER, o.method).index(o.method))
        scopes = {scope for each in operations for scope in each.scopes}
        valid = self._issuer.token(*scopes)
        self._canaries["token"] = valid.rpartition(".")[2]
        for each in ordered:
            yield self._of(each, *((PUBLIC, {}) if each.public else (VALID, bearer(valid))))
        for each in ordered:
            headers = {} if each.public else bearer(valid)
            yield self._of(each, MALFORMED, headers)
            texts = [p for p in each.parameters if p["schema"].get("type") == "string"]
            traps = (*FILES, f"//{self._canaries['query']}") if texts else ()
            yield from (self._of(each, TRAP, headers, trap) for trap in traps)
            if not each.public:
                for kind, sent in self._wrong(each, scopes).items():
                    yield self._of(each, kind, sent)
        say = {"parameters": [{"name": "say", "in": "query", "schema": {"const": canary}}]}
        for number in range(defects):
            yield self._of(Operation(f"GET /defect/{number}", say), PUBLIC, {})
        for path in NOTHING_THERE:
            yield self._of(Operation(f"GET {path}"), PUBLIC, {})
        for path in OPERATORS:
            yield self._of(
                Operation(f"GET {path}"), FOR_OPERATORS, bearer(self._canaries["APP_OPS_TOKEN"])
            )
        asked = {"Access-Control-Request-Method": "GET"}
        yield self._of(Operation("OPTIONS /no-such-path"), PUBLIC, asked)

    def _wrong(self, operation: Operation, scopes: set[str]) -> dict[str, dict[str, str]]:
        """The headers of callers that must be refused, by what is wrong with each."""
        issuer, all_ = self._issuer, " ".join(scopes)
        claims = jwt.decode(issuer.token(all_), options={"verify_signature": False})
        lasting = {name: claim for name, claim in claims.items() if name != "exp"}
        key = {"kid": issuer.key_id}
        signature = issuer.token().rpartition(".")[2]
        tokens = {
            "of an unknown issuer": Issuer().token(all_),
            "unsigned": jwt.encode(claims, "", algorithm="none"),
            "of another issuer": issuer.token(all_, iss="https://another.internal"),
            "for another audience": issuer.token(all_, aud="another"),
            "expired": issuer.token(all_, minutes=-10),
            "not valid yet": issuer.token(all_, nbf=time.time() + 600),
            "never expires": jwt.encode(lasting, issuer.key, algorithm="ES256", headers=key),
            "changed": f"{issuer.token(all_).rpartition('.')[0]}.{signature}",
            "no token": self._canaries["credentials"],
        }
        sent: dict[str, dict[str, str]] = {PUBLIC: {}}
        sent |= {f"{INVALID}{what}": bearer(t) for what, t in tokens.items()}
        if operation.scopes:  # all others, and those that only look like it
            others = scopes - operation.scopes | {f"x{s} {s}x" for s in operation.scopes}
            sent[ANOTHER_SCOPE] = bearer(issuer.token(*others))
        for name, scheme in operation.schemes.items():
            key, how = self._canaries["credentials"], scheme.get("in") or scheme.get("scheme")
            headers = {
                "header": {scheme.get("name", ""): key},
                "cookie": {"Cookie": f"{scheme.get('name')}={key}"},
                "basic": {"Authorization": f"Basic {b64encode(f'{key}:{key}'.encode()).decode()}"},
            }
            if how in headers:
                sent[f"{INVALID}any {name}"] = headers[how]
        return sent

    def _of(
        self, operation: Operation, kind: str, headers: Mapping[str, str], trap: str = ""
    ) -> Sent:
        canaries = self._canaries
        path, query = operation.path, {"canary": canaries["query"]}
        sent = {"X-Canary": canaries["header"], "Cookie": canaries["header"], "Origin": FOREIGN}
        sent |= {**headers, "X-Request-ID": f"check-{secrets.token_hex(8)}"}
        for each in operation.parameters:
            name, place = each["name"], each["in"]
            texts = {"body": canaries.get(place, "1"), "password": canaries["password"]}
            given = value(each["schema"], operation.schemas, texts, name)
            if trap and isinstance(given, str) and (place == "query" or not trap.startswith("//")):
                given = trap
            elif kind == MALFORMED and place == "query":
                given = canaries["query"]
            if place == "path":
                made = self.created.get(path.partition(f"/{{{name}}}")[0])
                made = made if isinstance(made, dict) else {}
                given = given if trap else made.get(name) or made.get("id") or given
                path = path.replace(f"{{{name}}}", quote(str(given), safe=""))
            elif place == "query":
                query[name] = given
            elif place == "header":
                sent[name] = str(given)
        content = self._content(operation, kind, sent)
        request = self._client.build_request(
            operation.method, path, params=query, headers=sent, **content
        )
        return Sent(operation, kind, request)

    def _content(self, operation: Operation, kind: str, sent: dict[str, str]) -> dict[str, Any]:
        """The body; for files and texts of other types also the header that says so."""
        body, schemas = self._canaries["body"], operation.schemas
        for media_type, content in operation.spec.get("requestBody", {}).get("content", {}).items():
            schema = resolve(content.get("schema", {}), schemas)
            made = value(schema, schemas, self._canaries)
            if kind == MALFORMED:
                made = {name: [body] for name in ("canary", *made)}
            if media_type.endswith("json"):
                return {"json": made}
            if media_type == "application/x-www-form-urlencoded":
                return {"data": made}
            if media_type == "multipart/form-data":
                files = {n for n, f in schema.get("properties", {}).items() if is_file(f)}
                lists = {n: v if isinstance(v, list) else [v] for n, v in made.items()}
                names = {n: "canary.txt" if n in files else None for n in lists}
                return {"files": [(n, (names[n], str(v))) for n in lists for v in lists[n]]}
            sent["Content-Type"] = media_type
            return {"content": body}
        return {}


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
