"""Changes of an API that its clients notice, and others, as FastAPI describes them."""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from fastapi import Body, FastAPI, Header, Path, Query, Response, Security
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field, create_model

from vitals.ops.check.api_changes import breaking_changes

Routes = Callable[[FastAPI], object]
STRICT = ConfigDict(extra="forbid")
TOKEN = OAuth2PasswordBearer("token", scopes={"read": "", "write": ""})


def model(*, strict: bool = False, name: str = "Thing", **fields: Any) -> Any:
    config = STRICT if strict else ConfigDict()
    given = {key: each if isinstance(each, tuple) else (each, ...) for key, each in fields.items()}
    create: Any = create_model
    return create(name, __config__=config, **given)


def described(*routes: Routes) -> dict[str, Any]:
    app = FastAPI(title=f"{len(routes)} routes")
    for each in routes:
        each(app)
    return app.openapi()


def takes(what: Any, path: str = "/things", **more: Any) -> Routes:
    """A route with this body, or parameter where it is annotated as one."""

    default = more.pop("default", None)

    def add(app: FastAPI) -> None:
        async def change(what: Any) -> None: ...

        change.__annotations__["what"] = what
        change.__defaults__ = None if default is None else (default,)
        app.post(path, **more)(change)

    return add


def gives(what: Any, path: str = "/things", **more: Any) -> Routes:
    async def read() -> None: ...

    return lambda app: app.get(path, response_model=what, **more)(read)


def given(kind: Any, place: Any = Query, **more: Any) -> Routes:
    """A route with a parameter."""
    default = {"default": more.pop("default")} if "default" in more else {}

    def add(app: FastAPI) -> None:
        async def read(q: Any) -> None: ...

        read.__annotations__["q"] = kind
        read.__defaults__ = (place(**default, **more),)
        app.get("/things")(read)

    return add


def plain(app: FastAPI) -> None:
    async def read() -> None: ...

    app.get("/things")(read)


def guarded(scheme: Any, *scopes: str) -> Routes:
    async def read() -> None: ...

    needed = [Security(scheme, scopes=list(scopes))]
    return lambda app: app.get("/things", dependencies=needed)(read)


class Node(BaseModel):
    value: int
    below: "list[Node]" = []


class NodeOfText(BaseModel):
    value: str
    below: "list[NodeOfText]" = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class OldDog(BaseModel):
    kind: Literal["dog"]


class Size(Enum):
    S = "s"
    M = "m"


class MoreSizes(Enum):
    S = "s"
    M = "m"
    L = "l"


Pets = Annotated[Cat | Dog, Field(discriminator="kind")]
OldPets = Annotated[Cat | OldDog, Field(discriminator="kind")]

BREAKING = {
    "path gone": (gives(int, "/old"), plain, "GET /old: the path is gone"),
    "method gone": (takes(model(a=int)), plain, "POST /things: the method is gone"),
    "parameter added as required": (plain, given(int), "query q: new and required"),
    "parameter became required": (given(int, default=1), given(int), "query q: now required"),
    "parameter removed": (given(int, default=1), plain, "query q: gone"),
    "parameter's type narrowed": (
        given(str),
        given(int),
        "query q: no longer accepts string, only integer",
    ),
    "parameter's bounds narrowed": (given(int, le=9), given(int, le=8), "q: maximum is narrower"),
    "parameter bounded": (given(int), given(int, gt=0), "q: minimum is narrower"),
    "parameter's enum narrowed": (given(MoreSizes), given(Size), "no longer accepts 'l'"),
    "path parameter narrowed": (
        takes(Annotated[str, Path()], "/things/{what}"),
        takes(Annotated[int, Path()], "/things/{what}"),
        "path what: no longer accepts string, only integer",
    ),
    "header became required": (
        given(str, Header, default=""),
        given(str, Header),
        "header q: now required",
    ),
    "body's field new and required": (
        takes(model(a=int)),
        takes(model(a=int, b=int)),
        "POST /things: request body: field b is now required",
    ),
    "body's field became required": (
        takes(model(a=(int, 1))),
        takes(model(a=int)),
        "field a is now required",
    ),
    "body's field removed where unknown ones are refused": (
        takes(model(strict=True, a=int, b=(int, 1))),
        takes(model(strict=True, a=int)),
        "field b is now refused",
    ),
    "unknown fields refused": (
        takes(model(a=int)),
        takes(model(strict=True, a=int)),
        "any other is now refused",
    ),
    "body's field narrowed": (
        takes(model(a=Annotated[str, Field(max_length=20)])),
        takes(model(a=Annotated[str, Field(max_length=10)])),
        "request body.a: maxLength is narrower",
    ),
    "body's field no longer null": (
        takes(model(a=int | None)),
        takes(model(a=int)),
        "request body.a: no longer accepts null, only integer",
    ),
    "body's pattern": (
        takes(model(a=str)),
        takes(model(a=Annotated[str, Field(pattern="^a")])),
        "request body.a: pattern is narrower",
    ),
    "list in a body shorter": (
        takes(model(a=list[int])),
        takes(model(a=Annotated[list[int], Field(max_length=3)])),
        "request body.a: maxItems is narrower",
    ),
    "field of an entry of a list gone": (
        gives(model(a=list[Cat])),
        gives(model(a=list[OldDog])),
        "answer 200.a[]: field lives is gone",
    ),
    "type in a list of a body": (
        takes(model(a=list[float])),
        takes(model(a=list[int])),
        "request body.a[]: no longer accepts number, only integer",
    ),
    "body became required": (
        takes(model(a=int), default=Body(default={})),
        takes(model(a=int)),
        "request body: now required",
    ),
    "answer's field gone": (
        gives(model(a=int, b=int)),
        gives(model(a=int)),
        "GET /things: answer 200: field b is gone",
    ),
    "answer's nested field gone": (
        gives(model(a=model(name="Inner", b=int, c=int))),
        gives(model(a=model(name="Inner", b=int))),
        "answer 200.a: field c is gone",
    ),
    "answer's field became nullable": (
        gives(model(a=int)),
        gives(model(a=int | None)),
        "answer 200.a: may be null, was integer",
    ),
    "answer's type changed": (
        gives(model(a=int)),
        gives(model(a=str)),
        "answer 200.a: may be string, was integer",
    ),
    "answer's integer became a number": (
        gives(model(a=int)),
        gives(model(a=float)),
        "answer 200.a: may be number, was integer",
    ),
    "answer's values more": (
        gives(model(a=Size)),
        gives(model(a=MoreSizes)),
        "answer 200.a: may be 'l'",
    ),
    "answer's values free": (gives(model(a=Size)), gives(model(a=str)), "no longer an enum"),
    "answer's type undeclared": (
        gives(model(a=int)),
        gives(None),
        "answer 200: may be anything, was object",
    ),
    "answer of a type that holds itself": (gives(Node), gives(NodeOfText), "answer 200.value"),
    "one of several answers": (gives(OldPets), gives(Cat | Dog | int), "answer 200"),
    "field of one of several bodies": (takes(OldPets), takes(Pets), "field name is now required"),
    "success status": (gives(int), gives(int, status_code=201), "answer 200: gone, now 201"),
    "media type of a body": (
        takes(Annotated[int, Body(media_type="application/json")]),
        takes(Annotated[int, Body(media_type="application/xml")]),
        "request body: media type application/json is gone",
    ),
    "media type of an answer": (
        gives(None),
        gives(None, response_class=Response),
        "answer 200: media type application/json is gone",
    ),
    "security added": (plain, guarded(HTTPBearer()), "security: now requires http bearer"),
    "another scheme": (guarded(HTTPBearer()), guarded(APIKeyHeader(name="key")), "apiKey header"),
    "scope added": (guarded(TOKEN, "read"), guarded(TOKEN, "read", "write"), "oauth2 read write"),
}


@pytest.mark.parametrize(("old", "new", "said"), BREAKING.values(), ids=BREAKING)
def test_what_a_client_notices_is_named(old: Routes, new: Routes, said: str) -> None:
    found = breaking_changes(described(old), described(new))

    assert any(said in each for each in found), found


COMPATIBLE = {
    "nothing": (gives(model(a=int)), gives(model(a=int))),
    "names of models": (gives(model(a=int)), gives(model(name="Other", a=int))),
    "titles and descriptions": (
        takes(model(a=int)),
        takes(model(a=Annotated[int, Field(title="A", description="an a", examples=[1])])),
    ),
    "operation id and summary": (gives(int), gives(int, operation_id="other", summary="Other")),
    "tags and deprecation": (gives(int), gives(int, tags=["x"], deprecated=True)),
    "name of a path's parameter": (
        takes(Annotated[int, Path(alias="a")], "/things/{a}"),
        takes(Annotated[int, Path(alias="b")], "/things/{b}"),
    ),
    "path added": (plain, lambda app: (plain(app), gives(int, "/more")(app))),
    "method added": (plain, lambda app: (plain(app), takes(int)(app))),
    "optional parameter added": (plain, given(int, default=1)),
    "parameter became optional": (given(int), given(int, default=1)),
    "parameter that could be left out has a default": (
        given(int | None, default=None),
        given(int, default=5),
    ),
    "parameter's default": (given(int, default=1), given(int, default=2)),
    "parameter's bounds wider": (given(int, ge=1, le=5), given(int, gt=0, le=6)),
    "bound written in another way": (given(int, gt=0, lt=10), given(int, ge=1, le=9)),
    "parameter's type wider": (given(int), given(str)),
    "parameter may be sent several times": (given(int), given(list[int])),
    "parameter's values more": (given(Size), given(MoreSizes)),
    "parameter's values free": (given(Size), given(str)),
    "body's optional field": (takes(model(strict=True, a=int)), takes(model(a=int, b=(int, 1)))),
    "body's field became optional": (takes(model(a=int)), takes(model(a=(int, 1)))),
    "body's field removed where unknown ones are ignored": (
        takes(model(a=int, b=(int, 1))),
        takes(model(a=int)),
    ),
    "body's field may be null": (takes(model(a=int)), takes(model(a=int | None))),
    "body's number wider": (takes(model(a=int)), takes(model(a=float))),
    "body's text longer": (
        takes(model(a=Annotated[str, Field(max_length=10, pattern="^a")])),
        takes(model(a=Annotated[str, Field(max_length=20)])),
    ),
    "one more of several bodies": (takes(OldPets), takes(Cat | OldDog | int)),
    "answer's new field": (
        gives(model(strict=True, a=int)),
        gives(model(strict=True, a=int, b=int)),
    ),
    "answer's field always there": (gives(model(a=int | None)), gives(model(a=int))),
    "answer's values fewer": (gives(model(a=MoreSizes)), gives(model(a=Size))),
    "answer's bounds": (
        gives(model(a=Annotated[int, Field(le=5)])),
        gives(model(a=Annotated[int, Field(le=9)])),
    ),
    "answer of a type that holds itself": (gives(Node), gives(Node)),
    "further answers": (gives(int), gives(int, responses={409: {"model": Cat}, 202: {}})),
    "security removed": (guarded(HTTPBearer()), plain),
    "name of a scheme": (guarded(HTTPBearer()), guarded(HTTPBearer(scheme_name="other"))),
    "scope removed": (guarded(TOKEN, "read", "write"), guarded(TOKEN, "read")),
}


@pytest.mark.parametrize(("old", "new"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_what_no_client_notices_is_not(old: Routes, new: Routes) -> None:
    assert breaking_changes(described(old), described(new)) == []


def test_a_reference_in_a_reference_and_a_list_of_types_are_read() -> None:
    def api(schema: object, **schemas: object) -> dict[str, Any]:
        answer = {"content": {"application/json": {"schema": schema}}}
        paths = {"/a": {"get": {"responses": {"200": answer}}}}
        return {"paths": paths, "components": {"schemas": schemas}}

    base = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    both = {"allOf": [{"$ref": "#/components/schemas/Base"}], "properties": {"b": {"const": 1}}}
    old = api({"$ref": "#/components/schemas/Both"}, Base=base, Both=both)
    may_be_null = {**base, "properties": {"a": {"type": ["string", "null"]}}}
    new = api({"$ref": "#/components/schemas/Both"}, Base=may_be_null, Both=both)

    assert breaking_changes(old, new) == ["GET /a: answer 200.a: may be null, was string"]
    assert breaking_changes(new, old) == []
