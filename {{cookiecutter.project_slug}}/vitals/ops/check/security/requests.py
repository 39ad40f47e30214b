"""The requests that the running service is sent: each operation, with each kind of credentials."""

import secrets
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import httpx
import jwt

from vitals.ops.check.security.operations import ORDER, PLACES, Operation
from vitals.ops.measure.load import EMPTY, Load
from vitals.ops.measure.session import Session
from vitals.ops.project.token import Issuer

DESCRIPTION = "VITALS_DESCRIPTION"  # the environment variable that names the file of it
PUBLIC, VALID, ANOTHER_SCOPE = "without a token", "with a valid token", "with another scope"
MALFORMED, TRAP, FOR_OPERATORS = "malformed", "with a trap", "for operators"
OPERATORS = ("/health", "/metrics", "/status", "/status.json")
NOTHING_THERE = ("/no-such-path", "/docs", "/redoc", "/openapi.json")
FILES = ("../" * 9 + "etc/passwd", "pyproject.toml", "openapi.json")
FOREIGN = "https://foreign.example"


class Sent(NamedTuple):
    operation: Operation
    kind: str
    request: httpx.Request
    created: dict[str, Any]


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
        canaries, path, values = self._canaries, operation.path, operation.values(self._canaries)
        for place, name in [(each, name) for each in PLACES for name in values[each]]:
            given = values[place][name]
            if trap and isinstance(given, str) and (place == "query" or trap in FILES):
                given = trap
            elif kind == MALFORMED and place == "query":
                given = canaries["query"]
            elif place == "path":
                made = self.created.get(path.partition(f"/{{{name}}}")[0])
                if isinstance(made, dict) and not trap:
                    given = made.get(name) or made.get("id") or given
                path = path.replace(f"{{{name}}}", str(given))
            values[place][name] = given
        if kind == MALFORMED and "body" in values:
            names = values["body"] if isinstance(values["body"], dict) else ()
            values["body"] = {name: [canaries["body"]] for name in ("canary", *names)}
        values["query"] = {"canary": canaries["query"]} | values["query"]
        sent = {"X-Canary": canaries["header"], "Cookie": canaries["header"], "Origin": FOREIGN}
        sent |= {**headers, "X-Request-ID": f"check-{secrets.token_hex(8)}"}
        file_name = "a.png" if kind == MALFORMED else "a.txt"
        request = operation.request(self._client, values, sent, file_name)
        return Sent(operation, kind, request, self.created)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
