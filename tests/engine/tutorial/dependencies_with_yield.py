"""Pages about dependencies that clean up."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException

from tests.engine.tutorial.pages import Asks, ask, page


@page("tutorial/dependencies/dependencies-with-yield", differs=["error shape"])
def with_yield(app: FastAPI) -> Asks:
    seen: list[str] = []

    class OwnerError(Exception):
        pass

    async def outer() -> AsyncIterator[str]:
        seen.append("open outer")
        try:
            yield "outer"
        except OwnerError as error:
            raise HTTPException(403, f"owned by {error}") from error
        finally:
            seen.append("close outer")

    def inner(outer: Annotated[str, Depends(outer)]) -> Iterator[str]:
        seen.append("open inner")
        try:
            yield f"{outer} inner"
        finally:
            seen.append("close inner")

    @app.get("/teas/{name}")
    async def tea(name: str, inner: Annotated[str, Depends(inner)]) -> str:
        if name == "mine":
            raise OwnerError("ada")
        if name == "broken":
            raise RuntimeError("hunter2")
        return inner

    order = ["open outer", "open inner", "close inner", "close outer"]
    label = "/teas/{name}"
    return [
        ask("GET /teas/a", '"outer inner"', route=label),
        lambda _: _equal(seen, order),
        ask("GET /teas/mine", lambda a: a.json()["detail"] == "owned by ada", 403, label),
        ask("GET /teas/broken", lambda a: "hunter2" not in a.text, 500, label),
        lambda _: _equal(seen, order * 3),
    ]


@page("tutorial/dependencies/dependencies-with-yield, scopes")
def yield_scopes(app: FastAPI) -> Asks:
    seen: list[str] = []

    def until_answered() -> Iterator[str]:
        yield "a"
        seen.append("function ends")

    def until_sent() -> Iterator[str]:
        yield "b"
        seen.append("request ends")

    @app.get("/teas")
    async def teas(
        a: Annotated[str, Depends(until_answered, scope="function")],
        b: Annotated[str, Depends(until_sent, scope="request")],
    ) -> str:
        return a + b

    return [
        ask("GET /teas", '"ab"'),
        lambda _: _equal(seen, ["function ends", "request ends"]),
    ]


def _equal(found: Any, expected: Any) -> None:
    assert found == expected, found
