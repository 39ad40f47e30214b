"""Pages about how a body is sent, and of which types its fields are."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel

from tests.engine.tutorial.bodies import Tea
from tests.engine.tutorial.pages import Asks, ask, page


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
