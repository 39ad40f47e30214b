"""Pages about handlers of the application's own for errors."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from tests.engine.tutorial.pages import Asks, ask, member, page


@page("tutorial/handling-errors, own exceptions")
def own_exceptions(app: FastAPI) -> Asks:
    class Unicorn(Exception):
        pass

    @app.exception_handler(Unicorn)
    async def unicorn(request: Request, error: Unicorn) -> JSONResponse:
        return JSONResponse({"message": f"{error} on {request.url.path}"}, 418)

    class Conflict(HTTPException):
        def __init__(self) -> None:
            super().__init__(409, "already there")

    @app.get("/unicorn")
    async def fails() -> None:
        raise Unicorn("oops")

    @app.get("/conflict")
    async def conflict() -> None:
        raise Conflict

    return [
        ask("GET /unicorn", {"message": "oops on /unicorn"}, 418),
        ask("GET /conflict", member("detail", "already there"), 409),
    ]


@page("tutorial/handling-errors, override the default handlers")
def override(app: FastAPI) -> Asks:
    @app.exception_handler(StarletteHTTPException)
    async def http(_: Request, error: StarletteHTTPException) -> PlainTextResponse:
        return PlainTextResponse(str(error.detail), error.status_code)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"errors": len(error.errors()), "body": error.body}, 400)

    @app.get("/teas")
    async def teas(limit: int) -> None:  # noqa: ARG001
        raise HTTPException(418, "a teapot")

    return [
        ask("GET /teas?limit=1", "a teapot", 418),
        ask("GET /teas?limit=x", {"errors": 1, "body": None}, 400),
        ask("GET /nowhere", "Not Found", 404, "__unmatched__"),
    ]


@page("tutorial/handling-errors, reuse the default handlers")
def reuse(app: FastAPI) -> Asks:
    seen: list[str] = []

    @app.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: StarletteHTTPException) -> Response:
        seen.append(repr(error.detail))
        return await http_exception_handler(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        seen.append(type(error).__name__)
        return await request_validation_exception_handler(request, error)

    @app.get("/teas")
    async def teas(limit: int) -> None:  # noqa: ARG001
        raise HTTPException(418, "a teapot")

    def both(_: FastAPI) -> None:
        assert seen == ["'a teapot'", "RequestValidationError"]

    said = "Input should be a valid integer, unable to parse string as an integer"
    detail = {"type": "int_parsing", "loc": ["query", "limit"], "msg": said, "input": "x"}
    return [
        ask("GET /teas?limit=1", {"detail": "a teapot"}, 418),
        ask("GET /teas?limit=x", {"detail": [detail]}, 422),
        both,
    ]


@page("tutorial/handling-errors, exception_handler(Exception)")
def every_exception(app: FastAPI) -> Asks:
    @app.exception_handler(Exception)
    async def anything(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"own": type(error).__name__}, 500)

    @app.get("/teas")
    async def teas() -> None:
        raise KeyError("hunter2")

    return [ask("GET /teas", {"own": "KeyError"}, 500)]


@page("tutorial/handling-errors, exception_handler(500)")
def by_status(app: FastAPI) -> Asks:
    @app.exception_handler(500)
    async def broken(_: Request, __: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry", 500)

    @app.exception_handler(404)
    async def missing(request: Request, _: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"nothing at {request.url.path}", 404)

    @app.get("/teas")
    async def teas() -> None:
        raise KeyError("hunter2")

    return [
        ask("GET /teas", "sorry", 500),
        ask("GET /nowhere", "nothing at /nowhere", 404, "__unmatched__"),
    ]
