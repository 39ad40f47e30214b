"""Operations of an API, as its OpenAPI description has them, and requests to them."""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import httpx

from vitals.ops.check.security.schemas import Schema, is_file, resolve, value

NONE: Schema = MappingProxyType({})
PLACES = ("path", "query", "header", "cookie")
ORDER = ("POST", "PUT", "PATCH", "GET")  # what creates data first, what deletes it last


class Operation(NamedTuple):
    """A method of a path, with what OpenAPI says of it."""

    name: str  # such as "POST /items"
    public: bool = True
    parameters: Sequence[Schema] = ()
    content: Schema = NONE  # of the body, by media type
    answers: Sequence[Schema] = ()  # the schemas of its successes
    scopes: Sequence[str] = ()
    schemes: Schema = NONE  # the ways to say who calls
    schemas: Schema = NONE  # what others refer to

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.name.partition(" ")[2]

    @classmethod
    def of(cls, name: str, spec: Schema, parts: Schema) -> Self:
        """Read an operation of OpenAPI; `parts` are the description's components."""
        required = {n: scopes for each in spec.get("security", ()) for n, scopes in each.items()}
        successes = [a for status, a in spec.get("responses", {}).items() if status < "3"]
        contents = [c for answer in successes for c in answer.get("content", {}).values()]
        return cls(
            name,
            parameters=spec.get("parameters", ()),
            content=spec.get("requestBody", {}).get("content", {}),
            answers=[each.get("schema", {}) for each in contents],
            scopes=sorted({scope for scopes in required.values() for scope in scopes}),
            schemes={n: parts.get("securitySchemes", {}).get(n, {}) for n in required},
            schemas=parts.get("schemas", {}),
        )

    def values(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Values that fit the schemas: by place and name, and the body of the first media type.

        `texts` are what to put into texts, by the place, with one for passwords.
        """
        made: dict[str, Any] = {place: {} for place in PLACES}
        for each in self.parameters:
            place, name = each["in"], each["name"]
            here = {**texts, "body": texts.get(place, "1")}
            made[place][name] = value(each["schema"], self.schemas, here, name)
        for content in [*self.content.values()][:1]:
            made["body"] = value(content.get("schema", {}), self.schemas, texts)
        return made

    def request(
        self,
        client: httpx.Client,
        values: Mapping[str, Any],
        headers: Mapping[str, str] = NONE,
        file_name: str = "a.txt",
    ) -> httpx.Request:
        """Make a request of values as `values` returns them; `headers` replace those among them.

        A body of bytes is sent as it is. Only JSON can carry half of a surrogate pair.
        """
        path, sent = self.path, httpx.Headers(_headers(values["header"]))
        sent.update(headers)
        for name, given in values["path"].items():
            path = path.replace(f"{{{name}}}", quote(str(_encodable(given)), safe=""))
        cookies = [f"{name}={given}" for name, given in values["cookie"].items()]
        if cookies:
            cookies = [sent["Cookie"], *cookies] if "Cookie" in sent else cookies
            sent.update(_headers({"Cookie": "; ".join(cookies)}))
        body = self._body(values["body"], sent, file_name) if self.content else {}
        query = _encodable(values["query"])
        return client.build_request(self.method, path, params=query, headers=sent, **body)

    def _body(self, made: Any, headers: httpx.Headers, file_name: str) -> dict[str, Any]:
        """The arguments of httpx for a body; of what is no form, also the header that says so."""
        media_type, content = next(iter(self.content.items()))
        if media_type == "application/x-www-form-urlencoded" and isinstance(made, dict):
            return {"data": _encodable(made)}
        if media_type == "multipart/form-data" and isinstance(made, dict):
            lists = {n: v if isinstance(v, list) else [v] for n, v in _encodable(made).items()}
            fields = resolve(content.get("schema", {}), self.schemas).get("properties", {})
            names = {name: file_name for name, field in fields.items() if is_file(field)}
            return {"files": [(n, (names.get(n), str(v))) for n in lists for v in lists[n]]}
        headers["Content-Type"] = media_type
        if not isinstance(made, bytes):
            text = json.dumps(made) if media_type.endswith("json") else str(made)
            made = text.encode(errors="replace")
        return {"content": made}


def _headers(given: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Headers without what would end their line."""
    lines = {name: re.sub("[\0-\x1f\x7f]", "", str(each)).strip() for name, each in given.items()}
    return {name.encode(): line.encode(errors="replace") for name, line in lines.items()}


def _encodable(made: Any) -> Any:
    """The same without halves of surrogate pairs."""
    return json.loads(json.dumps(made, ensure_ascii=False).encode(errors="replace"))
