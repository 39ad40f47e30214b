"""Pages about dependencies."""

from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, HTTPException, Request

from tests.engine.tutorial.pages import OPERATOR, Asks, ask, page, send


@page("tutorial/dependencies", differs=["error shape"])
def dependencies(app: FastAPI) -> Asks:
    async def paging(q: str | None = None, skip: int = 0, limit: int = 100) -> dict[str, Any]:
        return {"q": q, "skip": skip, "limit": limit}

    routes = APIRouter(prefix="/teas")  # a feature's router, as in app/items

    @routes.get("")
    async def teas(paging: Annotated[dict[str, Any], Depends(paging)]) -> Any:
        return paging

    @routes.get("/users")
    def users(paging: Annotated[dict[str, Any], Depends(paging)], request: Request) -> Any:
        return [paging["limit"], request.query_params["limit"]]

    app.include_router(routes)
    return [
        ask("GET /teas?q=a&skip=1", {"q": "a", "skip": 1, "limit": 100}),
        ask("GET /teas/users?limit=7", [7, "7"]),
        ask("GET /teas?limit=x", lambda a: "query.limit" in a.text, 422),
    ]


@page("tutorial/dependencies/classes-as-dependencies")
def classes(app: FastAPI) -> Asks:
    class Paging:
        def __init__(self, q: str | None = None, limit: int = 100) -> None:
            self.q, self.limit = q, limit

    @app.get("/teas")
    async def teas(paging: Annotated[Paging, Depends()]) -> list[Any]:
        return [paging.q, paging.limit]

    return [ask("GET /teas?q=a&limit=5", ["a", 5]), ask("GET /teas", [None, 100])]


@page("tutorial/dependencies/sub-dependencies")
def sub_dependencies(app: FastAPI) -> Asks:
    calls: list[str] = []

    def query(q: str | None = None) -> str | None:
        calls.append("query")
        return q

    def query_or_cookie(
        q: Annotated[str | None, Depends(query)], last: Annotated[str | None, Cookie()] = None
    ) -> str | None:
        return q or last

    @app.get("/teas")
    async def teas(
        q: Annotated[str | None, Depends(query_or_cookie)],
        again: Annotated[str | None, Depends(query)],
        anew: Annotated[str | None, Depends(query, use_cache=False)],
    ) -> list[Any]:
        return [q, again, anew, len(calls)]

    return [
        ask("GET /teas?q=a", ["a", "a", "a", 2]),
        ask("GET /teas", ["b", None, None, 4], headers={"cookie": "last=b"}),
    ]


async def token(x_token: Annotated[str, Header()]) -> None:
    if x_token != "right":
        raise HTTPException(400, "X-Token is wrong", {"X-Error": "token"})


@page("tutorial/dependencies/dependencies-in-path-operation-decorators", differs=["error shape"])
def in_decorators(app: FastAPI) -> Asks:
    @app.get("/teas", dependencies=[Depends(token)])
    async def teas() -> str:
        return "tea"

    def refused(answer: Any) -> bool:
        problem, header = answer.json(), answer.headers["x-error"]
        return (problem["detail"], header) == ("X-Token is wrong", "token")

    return [
        ask("GET /teas", '"tea"', headers={"X-Token": "right"}),
        ask("GET /teas", refused, 400, headers={"X-Token": "x"}),
        ask("GET /teas", status=422),
    ]


@page("tutorial/dependencies/global-dependencies", fastapi={"dependencies": [Depends(token)]})
def global_dependencies(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas() -> str:
        return "tea"

    async def probes_need_no_token(app: FastAPI) -> None:
        assert (await send(app, "GET", "/livez")).status_code == 200
        assert (await send(app, "GET", "/metrics", headers=OPERATOR)).status_code == 200

    return [
        ask("GET /teas", '"tea"', headers={"X-Token": "right"}),
        ask("GET /teas", status=400, headers={"X-Token": "x"}),
        probes_need_no_token,
    ]


@page("advanced/advanced-dependencies")
def parameterized(app: FastAPI) -> Asks:
    class Contains:
        def __init__(self, text: str) -> None:
            self.text = text

        def __call__(self, q: str = "") -> bool:
            return self.text in q

    @app.get("/teas")
    async def teas(found: Annotated[bool, Depends(Contains("as"))]) -> bool:
        return found

    return [ask("GET /teas?q=assam", "true"), ask("GET /teas?q=oolong", "false")]


@page("advanced/testing-dependencies")
def overrides(app: FastAPI) -> Asks:
    async def source() -> str:
        raise AssertionError("replaced")

    async def stand_in(q: str = "none") -> str:
        return f"stand-in {q}"

    @app.get("/teas")
    async def teas(source: Annotated[str, Depends(source)]) -> str:
        return source

    app.dependency_overrides[source] = stand_in
    return [ask("GET /teas?q=a", '"stand-in a"')]
