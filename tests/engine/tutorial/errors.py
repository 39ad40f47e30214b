"""Pages about errors, and what the generated service makes of them (contract, 3)."""

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from tests.engine.tutorial.pages import Asks, ask, page
from vitals import Problem

STATUSES = (400, 402, 404, 409, 418, 429, 451, 460, 499, 500, 503, 520, 599)


def member(name: str, value: Any) -> Any:
    return lambda answer: answer.json()[name] == value


@page("tutorial/handling-errors", differs=["error shape", "data"])
def handling_errors(app: FastAPI) -> Asks:
    @app.get("/teas/{name}")
    async def read(name: str) -> None:
        raise HTTPException(404, f"no tea {name}", headers={"X-Error": "there is no such tea"})

    @app.get("/data")
    async def data() -> None:
        raise HTTPException(409, {"left": 0, "sku": ["a"]})

    @app.get("/list")
    async def listed() -> None:
        raise HTTPException(422, ["a", "b"])

    label = "/teas/{name}"
    return [
        ask("GET /teas/a", member("detail", "no tea a"), 404, label),
        ask("GET /teas/a", lambda a: a.headers["x-error"].startswith("there"), 404, label),
        ask("GET /data", member("data", {"left": 0, "sku": ["a"]}), 409),
        ask("GET /list", member("data", ["a", "b"]), 422),
    ]


@page("tutorial/handling-errors, every status", differs=["error shape"])
def every_status(app: FastAPI) -> Asks:
    @app.get("/status/{status}")
    async def answer(status: int) -> None:
        raise HTTPException(status)

    def in_shape(answer: Any) -> bool:
        problem, status = answer.json(), answer.status_code
        is_problem = answer.headers["content-type"] == "application/problem+json"
        return is_problem and problem["status"] == status and bool(problem["title"])

    label = "/status/{status}"
    told = {"title": "HTTP 520", "type": "urn:problem:status-520"}
    return [
        *[ask(f"GET /status/{status}", in_shape, status, label) for status in STATUSES],
        *[ask(f"GET /status/{status}", "", status, label) for status in (204, 205, 304)],
        ask("GET /status/520", lambda a: a.json().items() >= told.items(), 520, label),
    ]


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
    async def raised() -> None:
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


@page("tutorial/handling-errors, raised by hand", differs=["error shape"])
def by_hand(app: FastAPI) -> Asks:
    @app.get("/invalid")
    async def invalid() -> None:
        raise RequestValidationError([])

    @app.get("/partly")
    async def partly() -> None:
        raise RequestValidationError([{"loc": ("query", "a"), "msg": "too old", "type": "age"}])

    @app.get("/bare")
    async def bare() -> None:
        raise RequestValidationError(["a text"])

    @app.get("/response")
    async def response() -> None:
        raise ResponseValidationError([])

    return [
        ask("GET /invalid", member("type", "urn:problem:validation-failed"), 422),
        ask("GET /partly", member("detail", "query.a: expected too old"), 422),
        ask("GET /bare", status=422),
        ask("GET /response", member("title", "Internal Server Error"), 500),
    ]


@page("tutorial/handling-errors, vitals.Problem")
def problems(app: FastAPI) -> Asks:
    class OutOfStock(Problem):
        """None of it is left."""

        type, title, status = "urn:problem:out-of-stock", "Out of Stock", 409
        sku: str

        def __init__(self, sku: str) -> None:
            members, headers = {"sku": sku}, {"X-Own": "1"}
            super().__init__(self.status, f"no {sku} is left", members=members, headers=headers)

    @app.get("/teas/{name}", responses=OutOfStock.responses())
    async def read(name: str) -> None:
        raise OutOfStock(name)

    def described(app: FastAPI) -> None:
        answer = app.openapi()["paths"]["/teas/{name}"]["get"]["responses"]["409"]
        assert answer["description"] == "Out of Stock"
        [schema] = answer["content"]["application/problem+json"]["schema"]["anyOf"]
        assert schema["properties"]["type"] == {"const": "urn:problem:out-of-stock"}
        assert schema["properties"]["sku"] == {"type": "string"}

    told = {"type": "urn:problem:out-of-stock", "title": "Out of Stock", "status": 409, "sku": "a"}
    label = "/teas/{name}"
    return [
        ask("GET /teas/a", lambda a: a.json().items() >= told.items(), 409, label),
        ask("GET /teas/a", lambda a: a.headers["x-own"] == "1", 409, label),
        described,
    ]
