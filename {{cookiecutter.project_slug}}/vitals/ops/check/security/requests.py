"""The requests that the running service is sent: each operation, with each kind of credentials."""

import secrets
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import jwt

from vitals.ops.check.security.bodies import body_of
from vitals.ops.check.security.operations import Operation
from vitals.ops.check.security.schemas import resolve, value
from vitals.ops.measure.load import EMPTY, Load
from vitals.ops.measure.session import Session
from vitals.ops.project.token import Issuer

DESCRIPTION = "VITALS_DESCRIPTION"  # the environment variable that names the file of it
PUBLIC, VALID, ANOTHER_SCOPE = "without a token", "with a valid token", "with another scope"
MALFORMED, TRAP, FOR_OPERATORS = "malformed", "with a trap", "for operators"
OPERATORS = ("/health", "/metrics", "/status", "/status.json")
NOTHING_THERE = ("/no-such-path", "/docs", "/redoc", "/openapi.json")
FILES = ("../" * 9 + "etc/passwd", "pyproject.toml")
FOREIGN = "https://foreign.example"
ORDER = ("POST", "PUT", "PATCH", "GET")  # what creates data first, what deletes it last


class Sent(NamedTuple):
    operation: Operation
    kind: str
    request: httpx.Request


class Requests:
    """Makes the requests. What an answer to a POST held is used in the paths below."""

    def __init__(
        self, client: httpx.Client, issuer: Issuer, canaries: dict[str, str], plan: Load = EMPTY
    ) -> None:
        self.created: dict[str, Any] = {}  # the answers, by the path that was posted to
        self._client, self._issuer, self._canaries, self._plan = client, issuer, canaries, plan

    def all(self, operations: Sequence[Operation], defects: int) -> Iterator[Sent]:
        """All requests; adds the signature of the valid token to the canaries."""
        ordered = sorted(operations, key=lambda o: (*ORDER, o.method).index(o.method))
        scopes = {scope for each in operations for scope in each.scopes}
        before = [s for s in self._plan.seeds if s.anonymous] if self._plan.login else []
        plan, canaries = self._plan._replace(seeds=before), self._canaries
        session = Session(plan, self._issuer.token(*scopes))
        session.seed(self._client)
        valid = session.credentials
        canaries["token"] = valid["Authorization"].rpartition(" ")[2].rpartition(".")[2]
        for each in ordered:
            yield self._of(each, *((PUBLIC, {}) if each.public else (VALID, valid)))
        for each in ordered:
            headers = dict[str, str]() if each.public else valid
            yield self._of(each, MALFORMED, headers)
            if any(given["schema"].get("type") == "string" for given in each.parameters):
                for trap in (*FILES, *(f"{to}{canaries['query']}" for to in ("//", "https://"))):
                    yield self._of(each, TRAP, headers, trap)
            if not each.public:
                for kind, sent in self._wrong(each, scopes).items():
                    yield self._of(each, kind, sent)
        say = [{"name": "say", "in": "query", "schema": {"const": canaries["defect"]}}]
        for path in (*(f"/defect/{number}" for number in range(defects)), *NOTHING_THERE):
            yield self._of(Operation(f"GET {path}", parameters=say), PUBLIC, {})
        for path in OPERATORS:
            token = bearer(canaries["APP_OPS_TOKEN"])
            yield self._of(Operation(f"GET {path}"), FOR_OPERATORS, token)
        preflight = {"Access-Control-Request-Method": "GET"}
        yield self._of(Operation("OPTIONS /no-such-path"), PUBLIC, preflight)

    def _wrong(self, operation: Operation, scopes: set[str]) -> dict[str, dict[str, str]]:
        """The headers of callers that must be refused, by what is wrong with each."""
        issuer, all_, key = self._issuer, " ".join(scopes), self._canaries["credentials"]
        all_token = issuer.token(all_)
        claims = jwt.decode(all_token, options={"verify_signature": False})
        lasting = {name: claim for name, claim in claims.items() if name != "exp"}
        tokens = {
            "of an unknown issuer": Issuer().token(all_),
            "unsigned": jwt.encode(claims, "", algorithm="none"),
            "of another issuer": issuer.token(all_, iss="https://another.internal"),
            "for another audience": issuer.token(all_, aud="another"),
            "expired": issuer.token(all_, minutes=-10),
            "not valid yet": issuer.token(all_, nbf=time.time() + 600),
            "never expires": jwt.encode(lasting, issuer.key, "ES256", {"kid": issuer.key_id}),
            "changed": all_token.rpartition(".")[0] + issuer.token()[-87:],
            "no token": key,
        }
        sent: dict[str, dict[str, str]] = {PUBLIC: {}}
        sent |= {kind: bearer(token) for kind, token in tokens.items()}
        if operation.scopes:  # all others, and what only looks like them
            others = scopes - {*operation.scopes} | {f"x{s} {s}x" for s in operation.scopes}
            sent[ANOTHER_SCOPE] = bearer(issuer.token(*others))
        for name, scheme in operation.schemes.items():
            headers = {
                "digest": {"Authorization": f'Digest username="{key}"'},
                "header": {scheme.get("name", ""): key},
                "cookie": {"Cookie": f"{scheme.get('name')}={key}"},
                "basic": {"Authorization": f"Basic {b64encode(f'{key}:{key}'.encode()).decode()}"},
            }
            if (how := scheme.get("in") or scheme.get("scheme")) in headers:
                sent[f"any {name}"] = headers[how]
        return sent

    def _of(
        self, operation: Operation, kind: str, headers: Mapping[str, str], trap: str = ""
    ) -> Sent:
        canaries, path = self._canaries, operation.name.partition(" ")[2]
        query = {"canary": canaries["query"]}
        sent = {"X-Canary": canaries["header"], "Cookie": canaries["header"], "Origin": FOREIGN}
        sent |= {**headers, "X-Request-ID": f"check-{secrets.token_hex(8)}"}
        for each in operation.parameters:
            name, place = each["name"], each["in"]
            texts = {"body": canaries.get(place, "1"), "password": canaries["password"]}
            given = value(each["schema"], operation.schemas, texts, name)
            if trap and isinstance(given, str) and (place == "query" or trap in FILES):
                given = trap
            elif kind == MALFORMED and place == "query":
                given = canaries["query"]
            if place == "path":
                made = self.created.get(path.partition(f"/{{{name}}}")[0])
                if isinstance(made, dict) and not trap:
                    given = made.get(name) or made.get("id") or given
                path = path.replace(f"{{{name}}}", quote(str(given), safe=""))
            elif place == "query":
                query[name] = given
            elif place == "cookie":
                sent["Cookie"] += f"; {name}={given}"
            elif name.lower() not in map(str.lower, sent):
                sent[name] = str(given)
        content = self._content(operation, kind, sent)
        request = self._client.build_request(
            operation.method, path, params=query, headers=sent, **content
        )
        return Sent(operation, kind, request)

    def _content(self, operation: Operation, kind: str, sent: dict[str, str]) -> dict[str, Any]:
        """The body; of a text that is no form, also the header that says so."""
        body = self._canaries["body"]
        for media_type, content in operation.content.items():
            schema = resolve(content.get("schema", {}), operation.schemas)
            made = value(schema, operation.schemas, self._canaries)
            if kind == MALFORMED:
                made = {name: [body] for name in ("canary", *(made if type(made) is dict else ()))}
            file_name = "a.png" if kind == MALFORMED else "a.txt"
            if encoded := body_of(media_type, schema, made, file_name):
                return encoded
            sent["Content-Type"] = media_type
            return {"content": body}
        return {}


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
