"""Pages about errors, and what the generated service makes of them (contract, 3)."""

from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError, ResponseValidationError

from tests.engine.tutorial.pages import Asks, ask, member, page
from vitals import Problem

STATUSES = (400, 402, 404, 409, 418, 429, 451, 460, 499, 500, 503, 520, 599)


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
    documented = {"title": "HTTP 520", "type": "urn:problem:status-520"}
    return [
        *[ask(f"GET /status/{status}", in_shape, status, label) for status in STATUSES],
        *[ask(f"GET /status/{status}", "", status, label) for status in (204, 205, 304)],
        ask("GET /status/520", lambda a: a.json().items() >= documented.items(), 520, label),
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

    documented = {
        "type": "urn:problem:out-of-stock",
        "title": "Out of Stock",
        "status": 409,
        "sku": "a",
    }
    label = "/teas/{name}"
    return [
        ask("GET /teas/a", lambda a: a.json().items() >= documented.items(), 409, label),
        ask("GET /teas/a", lambda a: a.headers["x-own"] == "1", 409, label),
        described,
    ]
