"""Pages about middleware: it sits inside of what the engine sees."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.middleware.httpsredirect import HTTPSRedirectMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.engine.tutorial.pages import Asks, ask, page

Next = Callable[[Request], Awaitable[Response]]
OUTSIDE = "__unmatched__"  # what a middleware answers has no route


def teas(app: FastAPI) -> None:
    @app.get("/teas")
    async def read() -> list[str]:
        return ["tea"] * 500


@page("tutorial/middleware")
def http_middleware(app: FastAPI) -> Asks:
    teas(app)

    @app.middleware("http")
    async def time_it(request: Request, call_next: Next) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        response.headers["X-Process-Time"] = str(time.perf_counter() - started)
        return response

    return [
        ask("GET /teas", lambda a: float(a.headers["x-process-time"]) > 0),
        ask("GET /nowhere", lambda a: "x-process-time" in a.headers, 404, OUTSIDE),
    ]


@page("tutorial/middleware, that answers or raises")
def that_answers(app: FastAPI) -> Asks:
    teas(app)

    @app.middleware("http")
    async def judge(request: Request, call_next: Next) -> Response:
        if request.url.path == "/closed":
            return JSONResponse({"closed": True}, 403)
        if request.url.path == "/broken":
            raise RuntimeError("hunter2")
        return await call_next(request)

    def is_problem(answer: Any) -> bool:
        return answer.json()["title"] == "Internal Server Error" and "hunter2" not in answer.text

    return [
        ask("GET /closed", {"closed": True}, 403, OUTSIDE),
        ask("GET /broken", is_problem, 500, OUTSIDE),
        ask("GET /teas"),
    ]


@page("tutorial/middleware, several")
def several(app: FastAPI) -> Asks:
    seen: list[str] = []

    class Named(BaseHTTPMiddleware):
        def __init__(self, app: ASGIApp, name: str) -> None:
            super().__init__(app)
            self.name = name

        async def dispatch(self, request: Request, call_next: Next) -> Response:
            seen.append(self.name)
            return await call_next(request)

    app.add_middleware(Named, name="inner")
    app.add_middleware(Named, name="outer")
    teas(app)

    def in_order(_: FastAPI) -> None:
        assert seen == ["outer", "inner"]  # what is added last is the outermost

    return [ask("GET /teas"), in_order]


@page("tutorial/cors")
def cors(app: FastAPI) -> Asks:
    teas(app)
    origin = "https://a.example.com"
    app.add_middleware(CORSMiddleware, allow_origins=[origin], allow_methods=["GET"])
    preflight = {"origin": origin, "access-control-request-method": "GET"}

    def allowed(answer: Any) -> bool:
        return bool(answer.headers["access-control-allow-origin"] == origin)

    return [
        ask("GET /teas", allowed, headers={"origin": origin}),
        ask("OPTIONS /teas", allowed, route=OUTSIDE, headers=preflight),
        ask("GET /teas", lambda a: "access-control-allow-origin" not in a.headers),
    ]


@page("advanced/middleware")
def advanced(app: FastAPI) -> Asks:
    teas(app)
    app.add_middleware(GZipMiddleware, minimum_size=100)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["test"])

    class Tagged:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})["tag"] = 1
            await self.app(scope, receive, send)

    app.add_middleware(Tagged)
    return [
        ask(
            "GET /teas", lambda a: a.headers["content-encoding"] == "gzip" and len(a.json()) == 500
        ),
        ask("GET /teas", "Invalid host header", 400, OUTSIDE, headers={"host": "other"}),
    ]


@page("advanced/middleware, HTTPSRedirect")
def https_redirect(app: FastAPI) -> Asks:
    teas(app)
    app.add_middleware(HTTPSRedirectMiddleware)
    return [ask("GET /teas", lambda a: a.headers["location"] == "https://test/teas", 307, OUTSIDE)]


@page("how-to/custom-request-and-route, a body that a middleware reads")
def body_in_middleware(app: FastAPI) -> Asks:
    @app.post("/sizes")
    async def size(sent: list[int]) -> int:
        return len(sent)

    @app.middleware("http")
    async def read(request: Request, call_next: Next) -> Response:
        body = await request.body()
        response = await call_next(request)
        response.headers["X-Items"] = str(len(json.loads(body)))
        return response

    return [
        ask("POST /sizes", lambda a: (a.headers["x-items"], a.text) == ("3", "3"), json=[1] * 3)
    ]
