"""Pages about OpenAPI: what is described, and under which names."""

import json
import re
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, HttpUrl

from tests.engine.tutorial.pages import Asks, ask, page, send


class Tea(BaseModel):
    name: str


def operation(app: FastAPI, path: str, method: str = "get") -> Any:
    return app.openapi()["paths"][path][method]


def all_references_resolve(app: FastAPI) -> None:
    text = json.dumps(app.openapi())
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in app.openapi()["components"]["schemas"], name


def operation_ids(app: FastAPI) -> list[str]:
    paths = app.openapi()["paths"].values()
    return [each["operationId"] for methods in paths for each in methods.values()]


@page("tutorial/path-operation-configuration")
def configuration(app: FastAPI) -> Asks:
    @app.post("/teas", tags=["teas"], status_code=201, response_description="the new one")
    async def add(tea: Tea) -> Tea:
        """Add a tea.

        - **name**: what it is called
        """
        return tea

    def described(app: FastAPI) -> None:
        documented = operation(app, "/teas", "post")
        assert (documented["tags"], documented["summary"]) == (["teas"], "Add")
        assert "**name**" in documented["description"]
        assert documented["responses"]["201"]["description"] == "the new one"

    return [ask("POST /teas", {"name": "a"}, 201, json={"name": "a"}), described]


@page("advanced/path-operation-advanced-configuration")
def advanced_configuration(app: FastAPI) -> Asks:
    body = {"content": {"application/yaml": {"schema": Tea.model_json_schema()}}}

    @app.post("/teas", operation_id="add_a_tea", openapi_extra={"requestBody": body, "x-own": 1})
    async def add(request: Request) -> Any:
        """Add a tea.\f
        Not for the description.
        """
        name = (await request.body()).decode().removeprefix("name: ")
        return Tea.model_validate({"name": name})

    @app.get("/hidden", include_in_schema=False)
    async def hidden() -> str:
        return "here"

    def described(app: FastAPI) -> None:
        documented = operation(app, "/teas", "post")
        assert (documented["operationId"], documented["x-own"]) == ("add_a_tea", 1)
        assert documented["description"].strip() == "Add a tea."
        assert documented["requestBody"] == body
        assert "/hidden" not in app.openapi()["paths"]

    yaml = {"content-type": "application/yaml"}
    return [
        ask("POST /teas", {"name": "a"}, content=b"name: a", headers=yaml),
        ask("GET /hidden", '"here"'),
        described,
    ]


@page("advanced/openapi-callbacks")
def callbacks(app: FastAPI) -> Asks:
    events = APIRouter()

    @events.post("{$callback_url}/invoices/{$request.body.id}")
    def paid(body: Tea) -> None: ...

    @app.post("/invoices", callbacks=events.routes)
    async def invoice(callback_url: HttpUrl | None = None) -> str:
        return str(callback_url)

    def described(app: FastAPI) -> None:
        [path] = operation(app, "/invoices", "post")["callbacks"]["paid"]
        assert path.startswith("{$callback_url}")

    found = '"https://a.example.com/"'
    query = "callback_url=https://a.example.com"
    return [ask(f"POST /invoices?{query}", found), described, all_references_resolve]


@page("advanced/openapi-webhooks")
def webhooks(app: FastAPI) -> Asks:
    @app.webhooks.post("new-tea")
    def new_tea(body: Tea) -> None: ...

    def described(app: FastAPI) -> None:
        assert app.openapi()["webhooks"].keys() == {"new-tea"}

    return [described, all_references_resolve]


def tag_and_name(route: APIRoute) -> str:
    return f"{route.tags[0]}-{route.name}"


@page("advanced/generate-clients", fastapi={"generate_unique_id_function": tag_and_name})
def clients(app: FastAPI) -> Asks:
    @app.get("/teas", tags=["teas"])
    async def read() -> list[Tea]:
        return []

    def named(app: FastAPI) -> None:
        assert operation(app, "/teas")["operationId"] == "teas-read"

    return [ask("GET /teas", []), named, all_references_resolve]


@page("advanced/generate-clients, functions of one name")
def same_names(app: FastAPI) -> Asks:
    for name in ("a", "b"):
        routes = APIRouter(prefix=f"/{name}")

        @routes.get("")
        @routes.post("")
        async def read() -> str:
            return ""

        app.include_router(routes)
        app.include_router(routes, prefix="/v2")

    def unique(app: FastAPI) -> None:
        ids = operation_ids(app)
        assert len(ids) == len(set(ids)), ids
        assert {"read_a_get", "read_b_post", "read_v2_b_post"} <= set(ids), ids

    return [ask("GET /a", '""'), ask("POST /v2/b", '""'), unique]


@page("how-to/extending-openapi", settings={"docs": True})
def extending(app: FastAPI) -> Asks:
    app.get("/teas")(lambda: "a")

    def own() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = get_openapi(title="Own", version="2", routes=app.routes)
            app.openapi_schema["info"]["x-logo"] = {"url": "/logo.png"}
        return app.openapi_schema

    app.openapi = own  # type: ignore[method-assign]

    def documented(answer: Any) -> bool:
        info = answer.json()["info"]
        return bool((info["title"], info["x-logo"]["url"]) == ("Own", "/logo.png"))

    return [ask("GET /openapi.json", documented), all_references_resolve]


@page("how-to/conditional-openapi", differs=["docs"], fastapi={"openapi_url": None})
def no_description(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def read() -> str:
        return "a"

    return [
        ask("GET /teas", '"a"'),
        ask("GET /openapi.json", status=404, route="__unmatched__"),
        ask("GET /docs", status=404, route="__unmatched__"),
    ]


@page("how-to/configure-swagger-ui", differs=["docs"], settings={"docs": True})
def swagger(app: FastAPI) -> Asks:
    app.swagger_ui_parameters = {"deepLinking": False}

    async def files_come_from_the_service(app: FastAPI) -> None:
        page = (await send(app, "GET", "/docs")).text
        assert "https://" not in page
        for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page):
            assert (await send(app, "GET", f"/{name}")).status_code == 200

    return [ask("GET /docs", lambda a: "<script" in a.text), files_come_from_the_service]
