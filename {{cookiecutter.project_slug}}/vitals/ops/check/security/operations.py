"""Operations of an API, as its OpenAPI description has them."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple, Self

from vitals.ops.check.security.schemas import Schema

NONE: Schema = MappingProxyType({})


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
