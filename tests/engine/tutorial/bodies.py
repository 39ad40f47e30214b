"""Pages about the body of a request: JSON."""

from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException
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

    given = {"small": {"summary": "a small one", "value": {"size": 1}}}

    @app.post("/cups")
    async def add(cup: Annotated[Cup, Body(openapi_examples=given)]) -> Cup:
        return cup

    def described(app: FastAPI) -> None:
        content = app.openapi()["paths"]["/cups"]["post"]["requestBody"]["content"]
        assert content["application/json"]["examples"] == given
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
