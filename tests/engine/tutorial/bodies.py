"""Pages about the body of a request: JSON."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, Field, HttpUrl

from tests.engine.tutorial.pages import Asks, ask, page

JSON = {"content-type": "application/json"}


class Tea(BaseModel):
    name: str
    price: float
    origin: str | None = None
    tax: float | None = None


@page("tutorial/body", differs=["error shape"])
def body(app: FastAPI) -> Asks:
    @app.put("/teas/{number}")
    async def replace(number: int, tea: Tea, q: str | None = None) -> dict[str, Any]:
        return {"number": number, "q": q, **tea.model_dump(exclude_none=True)}

    label = "/teas/{number}"
    sent = {"name": "assam", "price": 4.5, "unknown": 1}  # ignored, as Pydantic does
    found = {"number": 3, "q": "a", "name": "assam", "price": 4.5}
    return [
        ask("PUT /teas/3?q=a", found, route=label, json=sent),
        ask("PUT /teas/3", lambda a: "body.price" in a.text, 422, label, json={"name": "a"}),
        ask("PUT /teas/3", status=422, route=label, content=b"{", headers=JSON),
        ask("PUT /teas/3", status=422, route=label),
    ]


@page("tutorial/body-multiple-params", differs=["error shape"])
def multiple(app: FastAPI) -> Asks:
    class User(BaseModel):
        login: str

    @app.post("/orders")
    async def order(tea: Tea, user: User, boxes: Annotated[int, Body(gt=0)]) -> list[Any]:
        return [tea.name, user.login, boxes]

    @app.post("/embedded")
    async def embedded(tea: Annotated[Tea, Body(embed=True)]) -> str:
        return tea.name

    tea = {"name": "assam", "price": 4}
    sent = {"tea": tea, "user": {"login": "ada"}, "boxes": 2}
    return [
        ask("POST /orders", ["assam", "ada", 2], json=sent),
        ask("POST /orders", status=422, json=sent | {"boxes": 0}),
        ask("POST /embedded", '"assam"', json={"tea": tea}),
        ask("POST /embedded", status=422, json=tea),
    ]


@page("tutorial/body-fields", differs=["error shape"])
def body_fields(app: FastAPI) -> Asks:
    class Box(BaseModel):
        label: str = Field(max_length=10, title="what is on it")
        grams: float = Field(gt=0, description="must be above zero")

    @app.post("/boxes")
    async def add(box: Annotated[Box, Body(embed=True)]) -> Box:
        return box

    box = {"label": "a", "grams": 2.5}
    wrong = {"box": {"label": "a", "grams": 0}}
    said = "body.box.grams: expected a number greater than 0"
    return [
        ask("POST /boxes", box, json={"box": box}),
        ask("POST /boxes", lambda a: a.json()["detail"] == said, 422, json=wrong),
    ]


@page("tutorial/body-nested-models", differs=["error shape"])
def nested(app: FastAPI) -> Asks:
    class Picture(BaseModel):
        url: HttpUrl

    class Sort(BaseModel):
        tags: set[str] = set()
        pictures: list[Picture] = []

    class Offer(BaseModel):
        sorts: list[Sort]

    @app.post("/offers")
    async def offer(offer: Offer) -> Offer:
        return offer

    @app.post("/pictures")
    async def pictures(pictures: list[Picture]) -> int:
        return len(pictures)

    @app.post("/weights")
    async def weights(weights: dict[int, float]) -> dict[int, float]:
        return weights

    picture = {"url": "https://example.com/a.png"}
    sorts = [{"tags": ["a", "a"], "pictures": [picture]}]
    deep = {"sorts": [{"pictures": [{"url": "no-url"}]}]}
    found = {"sorts": [{"tags": ["a"], "pictures": [picture]}]}
    where = "body.sorts.0.pictures.0.url"
    return [
        ask("POST /offers", found, json={"sorts": sorts}),
        ask("POST /offers", lambda a: a.json()["errors"][0]["field"] == where, 422, json=deep),
        ask("POST /pictures", "2", json=[picture, picture]),
        ask("POST /weights", {"1": 0.5}, json={"1": 0.5}),
        ask("POST /weights", status=422, json={"a": 0.5}),
    ]


@page("tutorial/schema-extra-example")
def examples(app: FastAPI) -> Asks:
    class Cup(BaseModel):
        size: int = Field(examples=[3])
        model_config = {"json_schema_extra": {"examples": [{"size": 2}]}}

    shown = {"small": {"summary": "a small one", "value": {"size": 1}}}

    @app.post("/cups")
    async def add(cup: Annotated[Cup, Body(openapi_examples=shown)]) -> Cup:
        return cup

    def described(app: FastAPI) -> None:
        content = app.openapi()["paths"]["/cups"]["post"]["requestBody"]["content"]
        assert content["application/json"]["examples"] == shown
        schema = app.openapi()["components"]["schemas"]["Cup"]
        assert schema["examples"] == [{"size": 2}]
        assert schema["properties"]["size"]["examples"] == [3]

    return [ask("POST /cups", {"size": 9}, json={"size": 9}), described]


@page("tutorial/body-updates", differs=["error shape"])
def updates(app: FastAPI) -> Asks:
    stored = {1: Tea(name="assam", price=4, tax=0.5)}

    @app.patch("/teas/{number}")
    async def change(number: int, change: dict[str, float | None]) -> Tea:
        if number not in stored:
            raise HTTPException(404, "no such tea")
        stored[number] = stored[number].model_copy(update=change)
        return stored[number]

    label = "/teas/{number}"
    changed = {"name": "assam", "price": 5, "origin": None, "tax": 0.5}
    return [
        ask("PATCH /teas/1", changed, route=label, json={"price": 5}),
        ask("PATCH /teas/1", changed | {"tax": None}, route=label, json={"tax": None}),
        ask("PATCH /teas/2", lambda a: a.json()["detail"] == "no such tea", 404, label, json={}),
    ]


@page("tutorial/encoder")
def encoder(app: FastAPI) -> Asks:
    stored: dict[str, Any] = {}

    class Note(BaseModel):
        at: datetime
        cost: Decimal

    @app.put("/notes")
    async def note(note: Note) -> dict[str, Any]:
        stored["note"] = jsonable_encoder(note)
        return dict(stored)

    sent = {"at": "2026-01-01T10:00:00", "cost": "2.50"}
    return [ask("PUT /notes", {"note": sent}, json=sent)]


@page("advanced/dataclasses", differs=["error shape"])
def dataclasses(app: FastAPI) -> Asks:
    @dataclass
    class Leaf:
        name: str
        tags: list[str] = field(default_factory=list)

    @app.post("/leaves", response_model=Leaf)
    async def add(leaf: Leaf) -> Any:
        return {"name": leaf.name, "tags": leaf.tags, "secret": "x"}

    return [
        ask("POST /leaves", {"name": "a", "tags": []}, json={"name": "a"}),
        ask("POST /leaves", status=422, json={"tags": []}),
    ]


@page("advanced/strict-content-type", differs=["status 415"])
def strict_content_type(app: FastAPI) -> Asks:
    @app.post("/teas")
    async def add(tea: Tea) -> str:
        return tea.name

    text = b'{"name": "a", "price": 1}'
    return [
        ask("POST /teas", status=415, content=text),
        ask("POST /teas", status=415, content=text, headers={"content-type": "text/plain"}),
        ask("POST /teas", '"a"', content=text, headers={"content-type": "application/tea+json"}),
    ]


@page("advanced/strict-content-type, off", fastapi={"strict_content_type": False})
def lax_content_type(app: FastAPI) -> Asks:
    @app.post("/teas")
    async def add(tea: Tea) -> str:
        return tea.name

    return [ask("POST /teas", '"a"', content=b'{"name": "a", "price": 1}')]


@page("advanced/json-base64-bytes")
def base64_bytes(app: FastAPI) -> Asks:
    class Data(BaseModel):
        data: bytes
        model_config = {"val_json_bytes": "base64", "ser_json_bytes": "base64"}

    @app.post("/data")
    async def echo(data: Data) -> Data:
        assert data.data == b"hello"
        return data

    return [ask("POST /data", {"data": "aGVsbG8="}, json={"data": "aGVsbG8="})]


@page("advanced/using-request-directly")
def request_directly(app: FastAPI) -> Asks:
    @app.post("/raw/{number}")
    async def raw(request: Request) -> dict[str, Any]:
        parts = [len(part) async for part in request.stream()]
        host = request.client.host if request.client else ""
        return {"bytes": sum(parts), "query": dict(request.query_params), "host": host}

    found = {"bytes": 300_000, "query": {"a": "1"}, "host": "127.0.0.1"}
    octets = {"content-type": "application/octet-stream"}  # APP_MAX_UPLOAD_BYTES, not _BODY_
    label = "/raw/{number}"
    return [
        ask("POST /raw/1?a=1", found, route=label, content=b"." * 300_000, headers=octets),
        ask("POST /raw/1", status=413, route="__unmatched__", content=b"." * 300_000),
    ]
