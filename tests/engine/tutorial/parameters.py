"""Pages about what a path, a query, a header or a cookie carries."""

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Path, Query
from pydantic import AfterValidator, BaseModel, Field

from tests.engine.tutorial.pages import Asks, ask, page


@page("tutorial/first-steps", differs=["HEAD"])
def first_steps(app: FastAPI) -> Asks:
    @app.get("/")
    async def root() -> dict[str, str]:
        return {"message": "hello"}

    return [ask("GET /", {"message": "hello"}), ask("HEAD /", "")]


@page("tutorial/path-params", differs=["error shape"])
def path_params(app: FastAPI) -> Asks:
    class Kind(StrEnum):
        GREEN = "green"
        BLACK = "black"

    @app.get("/teas/mine")
    async def mine() -> str:
        return "mine"

    @app.get("/teas/{number}")
    async def read(number: int) -> dict[str, int]:
        return {"number": number}

    @app.get("/kinds/{kind}")
    async def kinds(kind: Kind) -> dict[str, Any]:
        return {"kind": kind, "oxidised": kind is Kind.BLACK}

    @app.get("/files/{name:path}")
    async def file(name: str) -> str:
        return name

    wrong = {"field": "path.number", "problem": "not a valid integer", "expected": "an integer"}
    return [
        ask("GET /teas/mine", '"mine"'),
        ask("GET /teas/3", {"number": 3}, route="/teas/{number}"),
        ask(
            "GET /teas/x",
            lambda a: a.json()["errors"][0]["field"] == wrong["field"],
            422,
            "/teas/{number}",
        ),
        ask("GET /kinds/black", {"kind": "black", "oxidised": True}, route="/kinds/{kind}"),
        ask("GET /kinds/red", status=422, route="/kinds/{kind}"),
        ask("GET /files/home/a.txt", '"home/a.txt"', route="/files/{name}"),
    ]


@page("tutorial/query-params", differs=["error shape"])
def query_params(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas(
        origin: str, skip: int = 0, limit: int | None = None, short: bool = False
    ) -> list[Any]:
        return [origin, skip, limit, short]

    return [
        ask("GET /teas?origin=assam", ["assam", 0, None, False]),
        ask("GET /teas?origin=a&skip=2&limit=5&short=yes", ["a", 2, 5, True]),
        ask("GET /teas?origin=a&utm_source=x&_=1", ["a", 0, None, False]),  # others are ignored
        ask("GET /teas", lambda a: "query.origin" in a.json()["detail"], 422),
        ask("GET /teas?origin=a&skip=x", status=422),
    ]


@page("tutorial/query-params-str-validations", differs=["error shape"])
def query_validations(app: FastAPI) -> Asks:
    def short(text: str) -> str:
        if len(text) > 5:
            raise ValueError("at most five letters")
        return text

    @app.get("/teas")
    async def teas(
        q: Annotated[str, Query(min_length=3, pattern="^t", alias="tea-name")] = "tea",
        tags: Annotated[list[str], Query(deprecated=True)] = ["none"],  # noqa: B006
        hidden: Annotated[str | None, Query(include_in_schema=False)] = None,
        mark: Annotated[str | None, AfterValidator(short)] = None,
    ) -> list[Any]:
        return [q, tags, hidden, mark]

    def described(app: FastAPI) -> None:
        parameters = app.openapi()["paths"]["/teas"]["get"]["parameters"]
        assert [each["name"] for each in parameters] == ["tea-name", "tags", "mark"]
        assert parameters[1]["deprecated"] is True

    return [
        ask("GET /teas?tea-name=tip&tags=a&tags=b&hidden=x", ["tip", ["a", "b"], "x", None]),
        ask("GET /teas", ["tea", ["none"], None, None]),
        ask("GET /teas?tea-name=xxx", status=422),
        ask("GET /teas?mark=too-long", lambda a: "at most five letters" in a.text, 422),
        described,
    ]


@page("tutorial/path-params-numeric-validations", differs=["error shape"])
def numeric_validations(app: FastAPI) -> Asks:
    @app.get("/teas/{number}")
    async def read(
        number: Annotated[int, Path(title="its number", ge=1, le=1000)],
        size: Annotated[float, Query(gt=0, lt=10.5)],
    ) -> list[float]:
        return [number, size]

    label = "/teas/{number}"
    return [
        ask("GET /teas/1000?size=10.4", [1000, 10.4], route=label),
        ask("GET /teas/0?size=1", status=422, route=label),
        ask("GET /teas/1?size=10.5", lambda a: "less than 10.5" in a.text, 422, label),
    ]


@page("tutorial/query-param-models", differs=["error shape"])
def query_models(app: FastAPI) -> Asks:
    class Filter(BaseModel):
        limit: int = Field(100, gt=0, le=100)
        order: Literal["name", "price"] = "name"
        tags: list[str] = []

    class Strict(Filter, extra="forbid"):
        pass

    @app.get("/teas")
    async def teas(query: Annotated[Filter, Query()]) -> Filter:
        return query

    @app.get("/strict")
    async def strict(query: Annotated[Strict, Query()]) -> Strict:
        return query

    found = {"limit": 10, "order": "name", "tags": ["a", "b"]}
    return [
        ask("GET /teas?limit=10&tags=a&tags=b&other=1", found),
        ask("GET /teas?limit=1000", status=422),
        ask("GET /strict?limit=10&tags=a&tags=b", found),
        ask("GET /strict?tool=1", lambda a: "query.tool" in a.json()["detail"], 422),
    ]


@page("tutorial/extra-data-types", differs=["error shape"])
def extra_types(app: FastAPI) -> Asks:
    @app.put("/teas/{tea_id}")
    async def brew(tea_id: UUID, start: datetime, steep: timedelta, at: time | None = None) -> Any:
        return {"id": tea_id, "end": start + steep, "at": at}

    name = "7e3c4d4e-0d1e-4d3a-8f0a-3f1f0c6b7a11"
    label, when = "/teas/{tea_id}", "start=2026-01-01T10:00:00&steep=PT5M"
    end = {"id": name, "end": "2026-01-01T10:05:00", "at": "07:30:00"}
    return [
        ask(f"PUT /teas/{name}?{when}&at=07:30", end, route=label),
        ask(f"PUT /teas/no-uuid?{when}", status=422, route=label),
    ]
