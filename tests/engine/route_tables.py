"""Random tables of routes, and a comparison of two searches in them."""

import random
import re
from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Host, Match, Mount, Route
from starlette.types import ASGIApp, Message, Scope

from vitals.route_index import RouteIndex

SEGMENTS = ("a", "b", "c", "a.b", "1", "é", "A", "", "{x}", "{x:int}", "{x:float}", "{x:uuid}")
ODD_SEGMENTS = ("{x:path}", "v{x}", "{x}.json", "{x}-{y}")
VALUES = ("a", "b", "c", "1", "1.5", "-1", "é", "A", "", "a.b", "v1", "a.json", "a-b", "a\n", " ")
VALUES += ("0f8fad5b-d9cb-469f-a165-70867728950e", "..", "%2F", "a" * 300)
METHODS = (*("GET",) * 4, "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY")
VOLATILE = ("astack", "app", "state", "exception_handlers")


class Refusing(APIRoute):
    """A class of its own that matches in its own way."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if scope["method"] == "GET" else super().matches(scope)


def endpoint(seen: list[Any], name: str) -> Any:
    async def answer(request: Request) -> Response:
        seen.append(marks(request.scope))
        return Response(name)

    return answer


def marks(scope: Scope) -> dict[str, Any]:
    """What a search leaves in the scope; objects by their identity."""
    left = {k: v for k, v in scope.items() if not k.endswith(VOLATILE)}
    left["fastapi"] = {k: id(v) for k, v in scope.get("fastapi", {}).items()}
    left["has_fastapi"] = "fastapi" in scope
    return {
        k: v if isinstance(v, (str, bytes, dict, bool, list)) else id(v) for k, v in left.items()
    }


def template(rng: random.Random) -> str:
    """A template; most of them are plain, and parameters have names of their own."""
    pool = SEGMENTS + (ODD_SEGMENTS if rng.random() < 0.1 else ())
    parts = [rng.choice(pool) for _ in range(rng.randrange(4))]
    whole = "".join(f"/{part}" for part in parts)
    return re.sub("{[xy]", lambda _: f"{{p{rng.randrange(10**9)}", whole)


def fill(router: APIRouter, rng: random.Random, seen: list[Any], depth: int = 0) -> None:
    """Add routes of every kind, and routers inside of routers."""
    for number in range(rng.randrange(1, 7)):
        path, chance = template(rng), rng.random()
        run = endpoint(seen, f"{depth} {number} {path}")
        if chance < 0.6:
            methods = rng.sample(METHODS[3:-1], rng.randrange(1, 4))
            router.add_api_route(path or "/", run, methods=methods, include_in_schema=False)
        elif chance < 0.66:
            router.add_route(path or "/", run)
        elif chance < 0.7:
            router.add_api_route(
                path or "/", run, route_class_override=Refusing, include_in_schema=False
            )
        elif chance < 0.74:
            sub = FastAPI(openapi_url=None)
            sub.get(template(rng) or "/")(run)
            router.routes.append(Mount(path.partition("{")[0].rstrip("/"), app=sub))
        elif chance < 0.76:
            router.routes.append(Host("other.example", app=APIRouter(routes=[Route("/a", run)])))
        elif chance < 0.8:

            @router.websocket(path or "/")
            async def socket(socket: WebSocket) -> None:
                await socket.accept()

        elif depth < 3:
            inner = APIRouter(
                prefix=path if path and "//" not in path and path[-1] != "/" else "/i"
            )
            fill(inner, rng, seen, depth + 1)
            for prefix in rng.choice((["/p"], ["/p", f"/{{t{depth}}}"], ["/q"])):
                router.include_router(inner, prefix=prefix)


def requested(rng: random.Random, templates: list[str]) -> str:
    """A path, often one that a template of the table fits."""
    if rng.random() < 0.3 or not templates:
        return "/" + "/".join(rng.choice(VALUES) for _ in range(rng.randrange(5)))
    parts = [rng.choice(VALUES) if "{" in s else s for s in rng.choice(templates).split("/")]
    return "/".join(parts) + rng.choice(("", "", "", "", "/", "\n")) or "/"


async def outcome(search: ASGIApp, app: FastAPI, seen: list[Any], **given: Any) -> Any:
    """What came of a request: the marks at its endpoint, and its answer or its error."""
    seen.clear()
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async with AsyncExitStack() as stack:
        headers = [(b"host", given.pop("host").encode())]
        scope = {"type": "http", "app": app, "headers": headers, "query_string": b"q=1", **given}
        scope |= {"fastapi_middleware_astack": stack, "server": ("test", 80), "scheme": "http"}
        try:
            await search(scope, receive, send)
        except HTTPException as error:
            return error.status_code, sorted((error.headers or {}).items()), marks(scope)
    return list(seen), sent


def templates_of(routes: Any, prefix: str = "") -> list[str]:
    """The templates of all routes, with their prefixes."""
    found = list[str]()
    for route in routes:
        inner = getattr(route, "original_router", None)
        context = getattr(getattr(route, "include_context", None), "prefix", "")
        found += templates_of(inner.routes, prefix + context) if inner else []
        found += [prefix + route.path] if getattr(route, "path", "") else []
    return found


async def differences(seed: int, tables: int, requests: int) -> int:
    """Compare both searches; the number of comparisons."""
    compared = 0
    for number in range(tables):
        rng, seen, app = random.Random(f"{seed} {number}"), list[Any](), FastAPI(openapi_url=None)
        app.router.redirect_slashes = rng.random() < 0.8
        fill(app.router, rng, seen)
        index, templates = RouteIndex(app.router), templates_of(app.routes)
        for _ in range(requests):
            given = {
                "path": requested(rng, templates),
                "method": rng.choice(METHODS),
                "root_path": rng.choice(("", "", "", "/a")),
                "host": rng.choice(("test", "test", "other.example")),
            }
            expected = await outcome(app.router.app, app, seen, **given)
            found = await outcome(index, app, seen, **given)
            assert found == expected, (seed, number, given)
            compared += 1
            if rng.random() < 0.02:
                app.add_api_route(template(rng) or "/", endpoint(seen, "late"))
    return compared
