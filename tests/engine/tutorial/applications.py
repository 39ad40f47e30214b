"""Pages about whole applications: routers, mounts, middleware, lifespan, description."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
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

    def told(answer: Any) -> bool:
        text = answer.json()
        operation = text["paths"]["/teas"]["get"]
        tags, terms = [each["name"] for each in text["tags"]], text["info"]["termsOfService"]
        own = (operation["summary"], operation["deprecated"])
        return (tags, terms, own) == (["teas"], "https://example.com/terms", ("all", True))

    return [
        ask("GET /openapi.json", told),
        ask("GET /docs", lambda a: "swagger" in a.text),
        ask("GET /documentation", status=404, route="__unmatched__"),
        ask("GET /redoc", status=404, route="__unmatched__"),
    ]


@page("tutorial/static-files", differs=["CSP"], install={"public": ["/static"]})
def static_files(app: FastAPI) -> Asks:
    app.mount("/static", StaticFiles(directory=SITE, html=True), name="static")

    @app.get("/address")
    async def address(request: Request) -> str:
        return str(request.url_for("static", path="app.js"))

    label = "__mounted__"
    return [
        ask("GET /static/app.js", lambda a: "document" in a.text, route=label),
        ask("GET /static/", INDEX, route=label),
        ask("HEAD /static/app.js", "", route=label),
        ask("GET /static/none.js", lambda a: a.json()["status"] == 404, 404, label),
        ask("POST /static/app.js", status=405, route=label),
        ask("GET /address", '"http://test/static/app.js"'),
    ]


@page("tutorial/frontend", differs=["CSP"], install={"public": ["/"]})
def frontend(app: FastAPI) -> Asks:
    @app.get("/api/teas")
    async def teas() -> str:
        return "tea"

    app.frontend("/", directory=SITE)
    label, browser = "__unmatched__", {"accept": "text/html"}
    return [
        ask("GET /", INDEX, route=label),
        ask("GET /app.js", lambda a: "document" in a.text, route=label),
        ask("GET /dashboard/me", INDEX, route=label, headers=browser),
        ask("GET /none.js", status=404, route=label),
        ask("GET /api/teas", '"tea"'),
        ask("GET /items/x", status=422, route="/items/{item_id}"),
    ]


@page("advanced/sub-applications")
def sub_applications(app: FastAPI) -> Asks:
    sub = FastAPI(title="sub")

    @sub.get("/teas/{number}")
    async def tea(number: int, request: Request) -> list[Any]:
        return [number, request.scope["root_path"]]

    @sub.get("/broken")
    async def broken() -> None:
        raise RuntimeError("hunter2")

    app.mount("/sub", sub)
    return [
        ask("GET /sub/teas/3", [3, "/sub"], route="/sub/teas/{number}"),
        ask(
            "GET /sub/openapi.json",
            lambda a: a.json()["info"]["title"] == "sub",
            route="__mounted__",
        ),
        ask("GET /sub/broken", lambda a: "hunter2" not in a.text, 500),
        ask("GET /sub/none", status=404, route="__mounted__"),
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


@page("advanced/events")
def events(app: FastAPI) -> Asks:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        app.state.model = "loaded"
        yield {"client": "open"}
        app.state.model = "closed"

    app.include_router(APIRouter(lifespan=lifespan))

    @app.get("/teas")
    async def teas(request: Request) -> str:
        return str(request.app.state.model)

    return [ask("GET /teas", '"loaded"')]


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


@page("advanced/wsgi")
def wsgi(app: FastAPI) -> Asks:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the page's other package isn't installed here
        from starlette.middleware.wsgi import WSGIMiddleware

    def old(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]

    app.mount("/old", WSGIMiddleware(old))
    return [ask("GET /old/a/b", "/a/b", route="__mounted__")]


@page("tutorial/http-query")
def http_query(app: FastAPI) -> Asks:
    class Filter(BaseModel):
        limit: int

    @app.api_route("/teas", methods=["QUERY"])
    async def search(query: Filter) -> int:
        return query.limit

    return [ask("QUERY /teas", "3", json={"limit": 3})]
