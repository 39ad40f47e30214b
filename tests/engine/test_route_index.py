"""The route index: what it answers is what the framework answers, for any table of routes."""

import itertools
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter, FastAPI, routing
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Host, Match, Mount, Route

from tests.engine.applications import install
from vitals import framework, route_index, testing

LITERALS = ["a", "b", "items", "v1", "a b", "é", "x.json", "a{b-c}", ""]
PARAMETERS = ["{p}", "{p:str}", "{p:int}", "{p:float}", "{p:uuid}"]
MIXED = ["x{p}", "{p}.json", "v{p:int}", "{p:int}-{q}", "{p}{q}"]
UUID_TEXT = "12345678-1234-1234-1234-123456789012"
SEGMENTS = [
    *LITERALS,
    "1",
    "01",
    "2.5",
    UUID_TEXT,
    "v12",
    "7-z",
    "z",
    "1.json",
    "%2F",
    "\n",
    "٣",
    "..",
    "A",
]
EXCEPTION_HANDLERS = "starlette.exception_handlers"  # copies of one request
PLAIN = (str, bytes, int, float, UUID, list, tuple)
VERBS = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]


class CaseInsensitive(APIRoute):
    """A custom class: another search."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        return super().matches({**scope, "path": scope["path"].lower()})


class Timed(APIRoute):
    """A custom class as the documentation makes them: another handler only."""

    def get_route_handler(self) -> Callable[..., Any]:
        handler = super().get_route_handler()

        async def timed(request: Request) -> Any:
            response = await handler(request)
            response.headers["x-timed"] = "yes"
            return response

        return timed


class Table:
    """An application of random routes, and random requests of it."""

    def __init__(self, seed: int) -> None:
        self.random, self.routers = random.Random(seed), list[APIRouter]()
        self.numbers = itertools.count()  # a name may be in a path once
        telemetry = {"tracing": False, "metrics": False, "logs": False}
        self.kinds = ["api"] * 9 + ["include"] * 4 + ["timed", "plain"]
        if seed % 3 == 0:  # with what the index leaves to the framework
            self.kinds += ["any", "mount", "host", "socket", "custom", "path", "path"]
        redirect = self.random.random() < 0.8
        app = FastAPI(openapi_url=None, telemetry=telemetry, redirect_slashes=redirect)
        self.app = app
        for _ in range(self.random.randint(1, 12)):
            self.add(app.router, 0)

    def path(self) -> str:
        kinds = self.random.choice([LITERALS, LITERALS + PARAMETERS, LITERALS + PARAMETERS + MIXED])
        names, parts = iter("mnopqrst"), list[str]()
        for _ in range(self.random.randint(1, 3)):
            part = self.random.choice(kinds)
            for name in "pq":
                if "{" + name in part:
                    part = part.replace("{" + name, "{" + next(names))
            parts.append(part)
        return "/" + "/".join(parts)

    def prefix(self) -> str:
        prefix = self.random.choice(["", "", "", "/a", "/items", "/v1", "/{%s}", "/{%s:int}"])
        return prefix.replace("%s", f"r{next(self.numbers)}")

    def endpoint(self) -> Callable[..., Any]:
        async def answer(request: Request) -> JSONResponse:
            return JSONResponse(str(request.path_params))

        return answer

    def add(self, router: APIRouter, depth: int) -> None:
        kind = self.random.choice(self.kinds)
        verbs = self.random.sample(VERBS, self.random.choice([1, 1, 1, 2, 3]))
        path, endpoint = self.path(), self.endpoint()
        if kind == "path":
            router.add_api_route(
                path + self.random.choice(["/{z:path}", "{z:path}"]), endpoint, methods=verbs
            )
        elif kind in ("api", "timed", "custom"):
            classes = {"api": APIRoute, "timed": Timed, "custom": CaseInsensitive}
            override = classes[kind]
            router.add_api_route(path, endpoint, methods=verbs, route_class_override=override)
        elif kind == "plain":
            router.add_route(path, endpoint, methods=verbs)
        elif kind == "any":
            router.routes.append(Route(path, PlainTextResponse("any")))
        elif kind == "mount":
            inner = APIRouter()
            inner.add_api_route("/{p}", endpoint, methods=verbs)
            router.routes.append(Mount(path.replace(":path", ""), inner))
        elif kind == "host":
            inner = APIRouter()
            inner.add_api_route(path, endpoint, methods=verbs)
            router.routes.append(Host("{h}.example.org", inner))
        elif kind == "socket":
            router.add_api_websocket_route(path, endpoint)
        elif depth < 3:
            self.include(router, depth)

    def include(self, router: APIRouter, depth: int) -> None:
        if self.routers and self.random.random() < 0.3:  # one router included twice
            child = self.random.choice(self.routers)
            if child is router or child._contains_router(router):
                return
        else:
            child = APIRouter(prefix=self.prefix())
            for _ in range(self.random.randint(1, 5)):
                self.add(child, depth + 1)
            self.routers.append(child)
        with suppress(routing.FastAPIError):  # neither prefix nor path
            router.include_router(child, prefix=self.prefix())

    def change(self) -> None:
        """Add, move or remove a route, in one of the ways that the framework offers."""
        routes, draw = self.app.router.routes, self.random
        step = draw.choice(["add", "add", "nested", "move", "remove", "replace"])
        if step == "add" or not routes:
            self.add(self.app.router, 0)
        elif step == "nested" and self.routers:
            self.add(draw.choice(self.routers), 3)
        elif step == "move":
            draw.shuffle(routes)
        elif step == "remove":
            routes.pop(draw.randrange(len(routes)))
        else:
            self.app.router.routes = [*reversed(routes)]

    def request(self) -> dict[str, Any]:
        draw = self.random
        segments = [
            draw.choice(SEGMENTS) for _ in range(draw.choice([0, 1, 1, 2, 2, 2, 3, 3, 4, 5]))
        ]
        path = "/" + "/".join(segments) + draw.choice(["", "", "", "/", "//", "\n"])
        if draw.random() < 0.02:
            path = "/a/" + "1" * draw.choice([499, 600, 5000])
        scope = {"type": "http", "method": draw.choice(["GET"] * 4 + VERBS), "path": path}
        scope |= {
            "headers": [(b"host", draw.choice([b"test", b"x.example.org"]))],
            "query_string": b"",
        }
        scope |= {"root_path": draw.choice([""] * 19 + ["/a"]), "scheme": "http"}
        return scope | {"server": ("test", 80), "http_version": "1.1"}


def described(value: Any, depth: int = 0) -> Any:
    """A value of a scope: what is equal by content as text, an object by its identity."""
    if isinstance(value, dict) and depth < 3:
        return {key: described(each, depth + 1) for key, each in value.items()}
    return repr(value) if isinstance(value, PLAIN) else id(value)


async def outcome(app: FastAPI, scope: dict[str, Any]) -> Any:
    """The messages, the error and the scope of a request."""
    scope, sent = {**scope, "state": dict[str, Any]()}, list[Any]()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    error = ""
    try:
        await app(scope, receive, send)
    except Exception as raised:
        error = repr(raised)
    of_one_request = {key for key in scope if "astack" in key or key == EXCEPTION_HANDLERS}
    return sent, error, described(scope | dict.fromkeys(of_one_request, ""))


def differing(ours: Any, theirs: Any) -> Any:
    """What is not the same in two outcomes, for the message of a failure."""
    scopes = (
        {
            k: (ours[2].get(k), theirs[2].get(k))
            for k in {*ours[2], *theirs[2]}
            if ours[2].get(k) != theirs[2].get(k)
        }.items()
        if ours[:2] == theirs[:2]
        else ()
    )
    return ours[:2], theirs[:2], [*scopes]


async def compare(seeds: range, requests: int) -> tuple[int, int]:
    """Compare the index with the framework; the number of requests that the index answered."""
    answered = compared = 0
    for seed in seeds:
        table = Table(seed)
        app, router = table.app, table.app.router
        search = router.middleware_stack
        route_index.install(router)
        index = router.middleware_stack
        assert isinstance(index, route_index.RouteIndex), seed
        for number in range(requests):
            if number and number % 40 == 0:  # routes change while it runs
                table.change()
            scope = table.request()
            router.middleware_stack = search
            theirs = await outcome(app, scope)
            router.middleware_stack = index
            answered += index._find({**scope})[0] is not None
            ours = await outcome(app, scope)
            assert ours == theirs, (seed, scope["method"], scope["path"], differing(ours, theirs))
            compared += 1
    return answered, compared


async def test_the_index_chooses_and_answers_as_the_framework_does() -> None:
    answered, compared = await compare(range(60), 100)

    assert compared == 6_000
    assert answered > compared / 3


@pytest.mark.slow
async def test_the_index_differs_from_the_framework_in_none_of_120000_requests() -> None:
    answered, compared = await compare(range(1_000, 1_600), 200)

    assert compared == 120_000
    assert answered > compared / 3


async def number_(number: int) -> int:
    return number


async def shout(number: int) -> str:
    return f"{number}!"


async def test_a_route_that_is_added_while_it_runs_is_found() -> None:
    app = install(FastAPI())
    nested = APIRouter()
    async with testing.client(app) as client:
        before = await client.get("/of/a/1")
        nested.get("/{number}")(number_)
        app.include_router(nested, prefix="/of/a")
        first = await client.get("/of/a/1")
        nested.get("/{number}/more")(shout)
        second = await client.get("/of/a/1/more")

    assert [before.status_code, first.json(), second.json()] == [404, 1, "1!"]


async def test_without_the_index_the_framework_searches() -> None:
    app = install(FastAPI(), {"index": False})
    async with testing.client(app):
        assert app.router.middleware_stack == app.router.app


async def test_an_unknown_version_of_the_framework_keeps_its_own_search(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(framework, "KNOWN_ROUTING", ())
    app = install(FastAPI())
    app.get("/{number}")(number_)
    async with testing.client(app) as client:
        answer = await client.get("/7")

    assert (answer.json(), app.router.middleware_stack) == (7, app.router.app)
    assert "the route index is off" in caplog.text


async def test_a_search_that_somebody_replaced_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(APIRoute, "matches", APIRoute.matches.__get__(APIRoute))
    app = install(FastAPI())
    async with testing.client(app):
        pass

    assert "APIRoute.matches is replaced" in caplog.text


async def test_a_router_with_a_search_of_its_own_keeps_it(caplog: pytest.LogCaptureFixture) -> None:
    class Own(APIRouter):
        pass

    app = install(FastAPI())
    app.router.__class__ = Own
    async with testing.client(app):
        pass

    assert "Own with a search of its own" in caplog.text
