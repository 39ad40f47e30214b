"""Pages about classes of responses, streams and templates."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.templating import Jinja2Templates
from jinja2 import DictLoader, Environment
from starlette.requests import Request

from tests.engine.tutorial.pages import Asks, ask, header, page, send
from tests.engine.tutorial.responses import User


@page("advanced/response-directly")
def response_directly(app: FastAPI) -> Asks:
    @app.get("/xml")
    async def xml() -> Response:
        return Response("<tea/>", media_type="application/xml", headers={"X-Own": "1"})

    return [
        ask("GET /xml", header("content-type", "application/xml")),
        ask("GET /xml", header("x-own", "1")),
    ]


@page("advanced/custom-response")
def custom_response(app: FastAPI) -> Asks:
    @app.get("/html", response_class=HTMLResponse)
    async def html() -> str:
        return "<h1>tea</h1>"

    @app.get("/text", response_class=PlainTextResponse)
    async def text() -> str:
        return "tea"

    @app.get("/go", response_class=RedirectResponse, status_code=302)
    async def go() -> str:
        return "/text"

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(__file__, filename="page.py")

    class Tea(Response):
        media_type = "text/x-tea"

        def render(self, content: Any) -> bytes:
            return f"tea: {content}".encode()

    @app.get("/own", response_class=Tea)
    async def own() -> Any:
        return "green"

    source = Path(__file__).read_text(encoding="utf-8")
    part = {"range": "bytes=0-9"}
    return [
        ask("GET /html", header("content-type", "text/html; charset=utf-8")),
        ask("GET /text", "tea"),
        ask("GET /go", header("location", "/text"), 302),
        ask("GET /file", source),
        ask("GET /file", source[:10], 206, headers=part),
        ask("HEAD /file", header("content-length", str(len(source.encode())))),
        ask("GET /own", "tea: green"),
    ]


@page("advanced/custom-response, default", fastapi={"default_response_class": HTMLResponse})
def default_response_class(app: FastAPI) -> Asks:
    @app.get("/html")
    async def html() -> str:
        return "<h1>tea</h1>"

    async def engines_own_are_json(app: FastAPI) -> None:
        assert (await send(app, "GET", "/livez")).headers["content-type"] == "application/json"

    return [ask("GET /html", "<h1>tea</h1>"), engines_own_are_json]


@page("tutorial/stream-json-lines")
def json_lines(app: FastAPI) -> Asks:
    @app.get("/lines")
    async def lines() -> AsyncIterator[User]:
        for name in "ab":
            yield User(name=name)

    return [
        ask("GET /lines", '{"name":"a","age":null}\n{"name":"b","age":null}\n'),
        ask("GET /lines", header("content-type", "application/jsonl")),
    ]


@page("tutorial/server-sent-events")
def events(app: FastAPI) -> Asks:
    @app.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterator[ServerSentEvent]:
        for number in range(2):
            yield ServerSentEvent(data={"n": number}, event="tick", id=str(number))

    def read(answer: Any) -> bool:
        return answer.text.count("event: tick\n") == 2 and 'data: {"n": 1}' in answer.text

    return [ask("GET /events", read), ask("GET /events", header("cache-control", "no-cache"))]


@page("advanced/stream-data")
def stream(app: FastAPI) -> Asks:
    def parts() -> Iterable[bytes]:
        for number in range(3):
            yield b"%d " % number

    @app.get("/stream")
    async def streamed() -> StreamingResponse:
        return StreamingResponse(parts(), media_type="video/mp4")

    @app.get("/text", response_class=StreamingResponse)
    async def text() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    return [
        ask("GET /stream", "0 1 2 "),
        ask("GET /stream", header("content-type", "video/mp4")),
        ask("GET /text", "ab"),
    ]


@page("advanced/templates")
def templates(app: FastAPI) -> Asks:
    loader = DictLoader({"tea.html": "<a href=\"{{ url_for('tea', name='b') }}\">{{ name }}</a>"})
    templates = Jinja2Templates(env=Environment(loader=loader, autoescape=True))

    @app.get("/teas/{name}", response_class=HTMLResponse)
    async def tea(request: Request, name: str) -> Response:
        return templates.TemplateResponse(request, "tea.html", {"name": f"<{name}>"})

    page = '<a href="http://test/teas/b">&lt;a&gt;</a>'
    return [ask("GET /teas/a", page, route="/teas/{name}")]
