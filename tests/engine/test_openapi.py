"""The description of the API: FastAPI's own, with the error answers of every route."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Security
from pydantic import BaseModel

from tests.engine.applications import install
from vitals import PUBLIC, Problem, caller

ALWAYS = {"400", "404", "408", "413", "500", "503"}
PROBLEM = {"$ref": "#/components/schemas/Problem"}


class Order(BaseModel):
    amount: int


class OutOfStock(Problem):
    type, title, status = "urn:problem:out-of-stock", "Out of Stock", 409
    sku: str


class Closed(Problem):
    type, title, status = "urn:problem:closed", "Closed", 409


def orders() -> FastAPI:
    app = FastAPI()

    @app.get("/orders", openapi_extra=PUBLIC)
    async def page() -> list[Order]:
        return []

    @app.post(
        "/orders",
        dependencies=[Security(caller, scopes=["orders:write"])],
        responses={409: {"description": "own"}},
    )
    async def create(order: Order) -> Order:
        return order

    return install(app)


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_each_operation_describes_who_may_call_it_and_how_it_fails() -> None:
    described = operations(orders().openapi())

    assert {"get /orders", "post /orders", "get /livez"} <= described.keys()
    assert [name for name, each in described.items() if "security" not in each] == []
    assert [name for name, each in described.items() if ALWAYS - each["responses"].keys()] == []


def test_an_error_is_described_where_a_route_can_answer_it_and_nowhere_else() -> None:
    described = operations(orders().openapi())

    read, write = (described[name]["responses"].keys() for name in ("get /orders", "post /orders"))
    assert {"401", "403", "415", "422"} <= write
    assert not {"401", "403", "415", "422"} & read


def test_an_error_has_the_schema_of_a_problem_and_a_description_of_its_own_stays() -> None:
    described = orders().openapi()

    responses = operations(described)["post /orders"]["responses"]
    assert responses["422"]["content"] == {"application/problem+json": {"schema": PROBLEM}}
    assert responses["409"] == {"description": "own"}
    schemas = described["components"]["schemas"]
    assert schemas["Problem"]["required"][:2] == ["type", "title"]
    assert not {"HTTPValidationError", "ValidationError"} & schemas.keys()


def test_types_of_problems_are_described_with_their_members_by_the_route_that_raises_them() -> None:
    app = FastAPI()
    app.get("/a", responses=OutOfStock.responses(Closed))(lambda: "a")
    responses = operations(install(app).openapi())["get /a"]["responses"]

    assert responses["409"]["description"] == "Out of Stock, or Closed"
    schema = responses["409"]["content"]["application/problem+json"]["schema"]
    out_of_stock, closed = (each["properties"] for each in schema["anyOf"])
    assert schema["allOf"] == [PROBLEM]
    assert out_of_stock["type"] == {"const": "urn:problem:out-of-stock"}
    assert out_of_stock["sku"] == {"type": "string"}
    assert (closed["title"], closed["status"]) == ({"const": "Closed"}, {"const": 409})


def test_a_type_without_a_status_is_not_described_but_refused_by_name() -> None:
    class Vague(Problem):
        type, title = "urn:problem:vague", "Vague"

    with pytest.raises(TypeError, match="Vague: set type, title and status"):
        Vague.responses()


def test_a_422_of_the_applications_own_stays() -> None:
    app = FastAPI()
    app.get("/a", responses={422: {"description": "own"}})(lambda limit: limit)

    responses = operations(install(app).openapi())["get /a"]["responses"]

    assert responses["422"] == {"description": "own"}


def test_what_is_not_for_the_public_is_not_described() -> None:
    paths = orders().openapi()["paths"]

    assert not {"/metrics", "/status", "/status.json", "/docs", "/openapi.json"} & paths.keys()
    assert [name for name in operations({"paths": paths}) if name.startswith("head")] == []


def test_two_functions_of_one_name_have_ids_of_their_own() -> None:
    app = FastAPI()
    for name in ("a", "b"):
        routes = APIRouter(prefix=f"/{name}")

        @routes.get("")
        async def read() -> str:
            return ""

        app.include_router(routes)

    described = operations(install(app).openapi())

    ids = [operation["operationId"] for operation in described.values()]
    assert len(set(ids)) == len(ids)


def test_an_application_without_models_and_without_routes_is_described() -> None:
    described = install(FastAPI()).openapi()

    assert described["paths"].keys() == {"/livez", "/readyz", "/health"}
    assert "Problem" in described["components"]["schemas"]


def test_the_description_is_made_once_and_made_anew_when_it_is_dropped() -> None:
    app = orders()
    first = app.openapi()
    assert app.openapi() is first

    app.get("/late", openapi_extra=PUBLIC)(lambda: "late")
    app.openapi_schema = None

    late = operations(app.openapi())["get /late"]
    assert late["responses"].keys() >= ALWAYS


@pytest.mark.parametrize("after", [False, True], ids=["before install", "after install"])
def test_an_openapi_of_the_applications_own_is_kept(after: bool) -> None:
    def own() -> dict[str, Any]:
        return {"openapi": "3.1.0", "info": {"title": "Own"}, "paths": {"/a": {"get": {}}}}

    app = FastAPI()
    if not after:
        app.openapi = own  # type: ignore[method-assign]
    install(app)
    if after:
        app.openapi = own  # type: ignore[method-assign]

    assert app.openapi()["info"] == {"title": "Own"}
