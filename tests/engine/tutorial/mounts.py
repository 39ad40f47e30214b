"""Pages about what is mounted: files, frontends, other applications."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from tests.engine.tutorial.pages import Asks, ask, header, page, send
from vitals import Caller, caller

SITE = Path(__file__).parent / "site"
INDEX = (SITE / "index.html").read_text(encoding="utf-8")


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


@page("tutorial/static-files, at the root", differs=["CSP"], install={"public": ["/"]})
def static_files_at_the_root(app: FastAPI) -> Asks:
    app.mount("/", StaticFiles(directory=SITE, html=True))

    async def engines_own_are_there(app: FastAPI) -> None:
        assert (await send(app, "GET", "/livez")).json() == {"status": "pass"}
        assert (await send(app, "GET", "/metrics")).status_code == 401

    label = "__mounted__"
    return [
        ask("GET /", INDEX, route=label),
        ask("GET /app.js", lambda a: "document" in a.text, route=label),
        ask("GET /none", lambda a: a.json()["status"] == 404, 404, label),
        engines_own_are_there,
    ]


@page("tutorial/frontend", differs=["CSP"], install={"public": ["/"]})
def frontend(app: FastAPI) -> Asks:
    @app.get("/api/teas")
    async def teas() -> str:
        return "tea"

    app.frontend("/", directory=SITE)
    policy = "default-src 'self'; frame-ancestors 'none'"

    @app.middleware("http")
    async def load_scripts(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = policy
        return response

    label, browser = "__mounted__", {"accept": "text/html"}
    return [
        ask("GET /", INDEX, route=label),
        ask("GET /", header("content-security-policy", policy), route=label),
        ask("GET /app.js", lambda a: "document" in a.text, route=label),
        ask("GET /dashboard/me", INDEX, route=label, headers=browser),
        ask("GET /none.js", status=404, route=label),
        ask("GET /api/teas", '"tea"'),
        ask("GET /items/x", status=422, route="/items/{item_id}"),
    ]


async def verify(token: str) -> Caller:
    return Caller(token)


@page("advanced/sub-applications", differs=["error shape"], install={"verify": verify})
def sub_applications(app: FastAPI) -> Asks:
    sub = FastAPI(title="sub")

    @sub.get("/teas/{number}")
    async def tea(number: int, request: Request) -> list[Any]:
        return [number, request.scope["root_path"]]

    @sub.get("/broken")
    async def broken() -> None:
        raise RuntimeError("hunter2")

    @sub.get("/mine")
    async def mine(who: Annotated[Caller, Depends(caller)]) -> str:
        return who.subject

    app.mount("/sub", sub)
    app.mount("/under/{tenant}", sub)
    return [
        ask("GET /sub/teas/3", [3, "/sub"], route="/sub/teas/{number}"),
        ask(
            "GET /sub/openapi.json",
            lambda a: a.json()["info"]["title"] == "sub",
            route="/sub/openapi.json",
        ),
        ask("GET /sub/broken", lambda a: "hunter2" not in a.text, 500),
        ask("GET /sub/teas/x", status=422, route="/sub/teas/{number}"),
        ask("POST /sub/teas/3", header("allow", "GET, HEAD"), 405, "/sub/teas/{number}"),
        ask("GET /sub/mine", '"ada"', headers={"authorization": "Bearer ada"}),
        ask("GET /sub/mine", header("www-authenticate", 'Bearer realm="api"'), 401),
        ask("GET /under/acme/teas/3", [3, "/under/acme"], route="/under/{tenant}/teas/{number}"),
        ask("GET /sub/none", status=404, route="__mounted__"),
    ]


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
