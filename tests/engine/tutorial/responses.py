"""Pages about what is answered."""

from typing import Any

from fastapi import FastAPI, Response, status
from fastapi.responses import (
    JSONResponse,
    RedirectResponse,
)
from pydantic import BaseModel, computed_field

from tests.engine.tutorial.pages import Asks, ask, header, page


class User(BaseModel):
    name: str
    age: int | None = None


class NewUser(User):
    password: str


def openapi_of(app: FastAPI, path: str, method: str = "get") -> Any:
    return app.openapi()["paths"][path][method]


@page("tutorial/response-model")
def response_model(app: FastAPI) -> Asks:
    @app.post("/users")
    async def add(user: NewUser) -> User:
        return user

    @app.get("/unset", response_model=User, response_model_exclude_unset=True)
    async def unset() -> Any:
        return {"name": "ada", "password": "x"}

    @app.get("/redirect", response_model=None)
    async def redirect(away: bool) -> Response | dict[str, str]:
        return RedirectResponse("https://example.com") if away else {"to": "here"}

    @app.get("/broken", response_model=User)
    async def broken() -> Any:
        return {"age": "hunter2"}

    sent = {"name": "ada", "age": 3, "password": "secret"}
    return [
        ask("POST /users", {"name": "ada", "age": 3}, json=sent),
        ask("GET /unset", {"name": "ada"}),
        ask("GET /redirect?away=1", header("location", "https://example.com"), 307),
        ask("GET /redirect?away=0", {"to": "here"}),
        ask("GET /broken", lambda a: "hunter2" not in a.text, 500),
    ]


@page("tutorial/extra-models")
def extra_models(app: FastAPI) -> Asks:
    class Stored(User):
        digest: str

    class Robot(BaseModel):
        model: str

    @app.post("/users")
    async def add(user: NewUser) -> User:
        return Stored(**user.model_dump(exclude={"password"}), digest="x" + user.password)

    @app.get("/either/{kind}", response_model=User | Robot)
    async def either(kind: str) -> Any:
        return {"model": "r2"} if kind == "robot" else {"name": "ada"}

    @app.get("/weights")
    async def weights() -> dict[str, float]:
        return {"a": 1}

    label = "/either/{kind}"
    return [
        ask("POST /users", {"name": "a", "age": None}, json={"name": "a", "password": "b"}),
        ask("GET /either/robot", {"model": "r2"}, route=label),
        ask("GET /weights", {"a": 1.0}),
    ]


@page("tutorial/response-status-code")
def status_code(app: FastAPI) -> Asks:
    @app.post("/teas", status_code=status.HTTP_201_CREATED)
    async def add(name: str) -> dict[str, str]:
        return {"name": name}

    @app.delete("/teas", status_code=204)
    async def remove() -> None: ...

    return [ask("POST /teas?name=a", {"name": "a"}, 201), ask("DELETE /teas", "", 204)]


@page("advanced/additional-status-codes")
def more_statuses(app: FastAPI) -> Asks:
    stored: dict[str, str] = {}

    @app.put("/teas/{name}")
    async def put(name: str) -> Any:
        if name in stored:
            return stored[name]
        stored[name] = "put"
        return JSONResponse(status_code=201, content="created")

    label = "/teas/{name}"
    return [ask("PUT /teas/a", '"created"', 201, label), ask("PUT /teas/a", '"put"', route=label)]


@page("advanced/response-cookies")
def response_cookies(app: FastAPI) -> Asks:
    @app.post("/cookies")
    async def both(response: Response) -> str:
        response.set_cookie("a", "1", httponly=True)
        response.set_cookie("b", "2", samesite="strict", secure=True)
        return "set"

    def two(answer: Any) -> bool:
        [a, b] = answer.headers.get_list("set-cookie")
        return "HttpOnly" in a and "Secure" in b

    return [ask("POST /cookies", two)]


@page("advanced/response-headers")
def response_headers(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas(response: Response) -> str:
        response.headers["X-Kind"] = "green"
        response.headers["Cache-Control"] = "max-age=60"  # its own, in place of no-store
        return "tea"

    @app.get("/plain")
    async def plain() -> None: ...

    return [
        ask("GET /teas", header("x-kind", "green")),
        ask("GET /teas", header("cache-control", "max-age=60")),
        ask("GET /plain", header("cache-control", "no-store")),
    ]


@page("advanced/response-change-status-code")
def change_status(app: FastAPI) -> Asks:
    @app.put("/teas")
    async def put(new: bool, response: Response) -> str:
        if new:
            response.status_code = status.HTTP_201_CREATED
        return "tea"

    return [ask("PUT /teas?new=1", '"tea"', 201), ask("PUT /teas?new=0", '"tea"')]


@page("advanced/additional-responses")
def additional_responses(app: FastAPI) -> Asks:
    class Message(BaseModel):
        text: str

    given: dict[int | str, dict[str, Any]] = {404: {"model": Message}, 302: {"description": "go"}}

    @app.get("/teas", responses={**given, 200: {"content": {"image/png": {}}}})
    async def teas(found: bool) -> Any:
        return JSONResponse({"text": "none"}, 404) if not found else {"a": 1}

    def described(app: FastAPI) -> None:
        responses = openapi_of(app, "/teas")["responses"]
        schema = responses["404"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Message"}
        assert responses["302"] == {"description": "go"}
        assert responses["200"]["content"].keys() == {"application/json", "image/png"}

    return [ask("GET /teas?found=0", {"text": "none"}, 404), described]


@page("how-to/separate-openapi-schemas")
def input_and_output(app: FastAPI) -> Asks:
    class Tea(BaseModel):
        name: str

        @computed_field
        def length(self) -> int:
            return len(self.name)

    @app.post("/teas")
    async def add(tea: Tea) -> Tea:
        return tea

    def described(app: FastAPI) -> None:
        assert {"Tea-Input", "Tea-Output"} <= app.openapi()["components"]["schemas"].keys()

    return [ask("POST /teas", {"name": "a", "length": 1}, json={"name": "a"}), described]
