"""Pages about what a header or a cookie carries."""

from typing import Annotated, Any

from fastapi import Cookie, FastAPI, Header
from pydantic import BaseModel

from tests.engine.tutorial.pages import Asks, ask, page


@page("tutorial/cookie-params")
def cookies(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas(ads_id: Annotated[str | None, Cookie()] = None) -> str | None:
        return ads_id

    return [ask("GET /teas", "null"), ask("GET /teas", '"a1"', headers={"cookie": "ads_id=a1"})]


@page("tutorial/header-params")
def headers(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas(
        user_agent: Annotated[str, Header()],
        x_token: Annotated[list[str] | None, Header()] = None,
        odd_one: Annotated[str | None, Header(convert_underscores=False)] = None,
    ) -> list[Any]:
        return [user_agent, x_token, odd_one]

    sent = [("User-Agent", "me"), ("X-Token", "a"), ("X-Token", "b"), ("odd_one", "c")]
    return [ask("GET /teas", ["me", ["a", "b"], "c"], headers=sent)]


@page("tutorial/cookie-param-models", differs=["error shape"])
def cookie_models(app: FastAPI) -> Asks:
    class Cookies(BaseModel, extra="forbid"):
        session: str
        tracker: str | None = None

    @app.get("/teas")
    async def teas(cookies: Annotated[Cookies, Cookie()]) -> Cookies:
        return cookies

    return [
        ask("GET /teas", {"session": "a", "tracker": None}, headers={"cookie": "session=a"}),
        ask("GET /teas", status=422, headers={"cookie": "session=a; other=b"}),
        ask("GET /teas", status=422),
    ]


@page("tutorial/header-param-models", differs=["error shape"])
def header_models(app: FastAPI) -> Asks:
    class Common(BaseModel):
        save_data: bool
        x_tag: list[str] = []

    @app.get("/teas")
    async def teas(headers: Annotated[Common, Header()]) -> Common:
        return headers

    sent = [("Save-Data", "on"), ("X-Tag", "a"), ("X-Tag", "b")]
    return [
        ask("GET /teas", {"save_data": True, "x_tag": ["a", "b"]}, headers=sent),
        ask("GET /teas", lambda a: "header.save" in a.json()["detail"], 422),
    ]
