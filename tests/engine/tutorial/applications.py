"""Pages about whole applications: routers, mounts, middleware, lifespan, description."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

import vitals
from app.settings import Settings
from tests.engine.tutorial.pages import Asks, ask, page

SITE = Path(__file__).parent / "site"
INDEX = (SITE / "index.html").read_text(encoding="utf-8")


@page("tutorial/bigger-applications")
def bigger(app: FastAPI) -> Asks:
    async def key(x_key: Annotated[str, Header()] = "none") -> str:
        return x_key

    inner = APIRouter(prefix="/inner")
    router = APIRouter(prefix="/teas", tags=["teas"], responses={404: {"description": "none"}})

    @inner.get("/{number}")
    async def one(number: int) -> int:
        return number

    @router.get("")
    async def teas(key: Annotated[str, Depends(key)]) -> str:
        return key

    router.include_router(inner)
    app.include_router(router)
    app.include_router(router, prefix="/v2", dependencies=[Depends(key)], tags=["v2"])

    def described(app: FastAPI) -> None:
        operation = app.openapi()["paths"]["/v2/teas"]["get"]
        assert operation["tags"] == ["v2", "teas"]
        assert operation["responses"]["404"]["description"] == "none"

    return [
        ask("GET /teas", '"a"', headers={"X-Key": "a"}),
        ask("GET /teas/inner/3", "3", route="/teas/inner/{number}"),
        ask("GET /v2/teas/inner/3", "3", route="/v2/teas/inner/{number}"),
        ask("GET /teas/", status=307, route="__unmatched__"),
        described,
    ]


@page("tutorial/background-tasks")
def background(app: FastAPI) -> Asks:
    done: list[str] = []

    def write(text: str, mark: str = "") -> None:
        done.append(f"{text}{mark}")

    async def later(text: str) -> None:
        await asyncio.sleep(0)
        done.append(text)

    def from_dependency(tasks: BackgroundTasks, q: str = "") -> None:
        tasks.add_task(write, q)

    @app.post("/notes", dependencies=[Depends(from_dependency)])
    async def note(tasks: BackgroundTasks) -> int:
        tasks.add_task(write, "a", mark="!")
        tasks.add_task(later, "b")
        return len(done)

    def all_done(_: FastAPI) -> None:
        assert done == ["q", "a!", "b"], done

    return [ask("POST /notes?q=q", "0"), all_done]


@page(
    "tutorial/metadata",
    differs=["docs"],
    fastapi={
        "openapi_tags": [{"name": "teas", "description": "leaves"}],
        "terms_of_service": "https://example.com/terms",
        "docs_url": "/documentation",
        "redoc_url": None,
    },
    settings={"docs": True},
)
def metadata(app: FastAPI) -> Asks:
    app.get("/teas", tags=["teas"], summary="all", deprecated=True)(lambda: "a")

    def documented(answer: Any) -> bool:
        text = answer.json()
        operation = text["paths"]["/teas"]["get"]
        tags, terms = [each["name"] for each in text["tags"]], text["info"]["termsOfService"]
        own = (operation["summary"], operation["deprecated"])
        return (tags, terms, own) == (["teas"], "https://example.com/terms", ("all", True))

    return [
        ask("GET /openapi.json", documented),
        ask("GET /docs", lambda a: "swagger" in a.text),
        ask("GET /documentation", status=404, route="__unmatched__"),
        ask("GET /redoc", status=404, route="__unmatched__"),
    ]


@page("advanced/behind-a-proxy")
def root_path(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas(request: Request) -> list[Any]:
        return [request.scope["root_path"], str(request.url_for("teas"))]

    found = ["/api/v1", "http://test/api/v1/teas"]
    given = {"root_path": "/api/v1"}  # by the server, in the ASGI scope
    return [
        ask("GET /teas", found, **given),
        ask("GET /api/v1/teas", found, route="/teas", **given),
        ask("GET /teas", ["", "http://test/teas"]),
    ]


@page("advanced/settings")
def settings(app: FastAPI) -> Asks:
    class Own(Settings):
        greeting: str = "hello"

    own = vitals.load(Own, {"APP_ENVIRONMENT": "test", "APP_GREETING": "hi"})

    def get_settings() -> Own:
        return own

    @app.get("/greeting")
    async def greeting(settings: Annotated[Own, Depends(get_settings)]) -> str:
        return settings.greeting

    return [ask("GET /greeting", '"hi"')]


@page("how-to/custom-request-and-route")
def custom_route(app: FastAPI) -> Asks:
    class Timed(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handler = super().get_route_handler()

            async def timed(request: Request) -> Response:
                response = await handler(request)
                response.headers["X-Timed"] = "yes"
                return response

            return timed

    router = APIRouter(route_class=Timed)
    router.get("/timed")(lambda: "a")
    app.include_router(router)
    return [ask("GET /timed", lambda a: a.headers["x-timed"] == "yes")]


@page("tutorial/http-query")
def http_query(app: FastAPI) -> Asks:
    class Filter(BaseModel):
        limit: int

    @app.api_route("/teas", methods=["QUERY"])
    async def search(query: Filter) -> int:
        return query.limit

    return [ask("QUERY /teas", "3", json={"limit": 3})]
