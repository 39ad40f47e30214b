"""The outermost layer: middleware around all that an application has or adds later.

Starlette builds its stack of middleware at the first use and keeps it in `middleware_stack`. Here
that attribute becomes a property of a subclass of the application's own class, which wraps what
is built. OpenTelemetry's instrumentation, which replaces `build_middleware_stack` of one
application, keeps working.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from operator import attrgetter
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.framework import routes_with_prefixes
from vitals.security import guard

WRAPPED = "_vitals_stack"
CLOSE_SECONDS = 0.5  # for each part; at the stop, nothing that matters is left to it
LAST = ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed")

Added = tuple[APIRouter, str, list[Any]]  # a router, its prefix, its guards

log = logging.getLogger(__name__)


def wrap(app: FastAPI, wrapper: Callable[[ASGIApp], ASGIApp], *, answer_errors: bool) -> None:
    """Have `wrapper` wrap the application's stack, whenever it is built.

    Every Problem is answered then, and with `answer_errors` every error, as a problem: those of
    mounted applications too. A handler of the application's own that is there by then stays.
    """
    kind = type(app)

    def set_stack(self: Any, stack: ASGIApp | None) -> None:
        setattr(self, WRAPPED, stack and wrapper(stack))

    class Installed(kind):  # type: ignore[valid-type,misc]
        # Read twice for each request: attrgetter costs a third of a function in Python.
        middleware_stack = property(attrgetter(WRAPPED), set_stack)  # type: ignore[assignment]

        def build_middleware_stack(self) -> ASGIApp:
            install_problems(self, every=answer_errors)
            return super().build_middleware_stack()

    for name in ("__name__", "__qualname__", "__module__"):
        setattr(Installed, name, getattr(kind, name))
    stack = app.__dict__.pop("middleware_stack", None)
    app.__class__ = Installed
    app.middleware_stack = stack


def add_routes(app: FastAPI, added: Iterable[Added]) -> None:
    """Add the engine's routers, with prefixes and guards, before what would take their requests.

    That is a mount at "/" or a catch-all. Where the application has a route with the same path,
    that one stays and the engine's is left out. Global dependencies don't hold for the engine's.
    """
    own, every = APIRouter(), app.router.routes
    taken = {each.path for each in routes_with_prefixes(every) if getattr(each, "methods", None)}
    at = len(every)
    for router, prefix, guards in added:
        for route in [*router.routes]:
            path = prefix + route.path  # type: ignore[attr-defined]
            at = next((n for n, each in enumerate(every[:at]) if _takes(each, path)), at)
            if path in taken:
                log.warning("%s is a path of the application: the engine's is left out", path)
                router.routes.remove(route)
        own.include_router(router, prefix=prefix, dependencies=guards)
    every[at:at] = own.routes


def _takes(route: BaseRoute, path: str) -> bool:
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": ()}
    return route.matches(scope)[0] is not Match.NONE


def install_problems(app: FastAPI, *, every: bool) -> None:
    """Answer errors of an application, and of those mounted in it by now, as problems."""
    for each in (app, *guard.mounted(app)):
        problems.install(each, only_problems=not every)


def with_lifespan(
    app: ASGIApp,
    before: Callable[[], AbstractAsyncContextManager[None]],
    after: Callable[[Any], AbstractAsyncContextManager[None]],
) -> ASGIApp:
    """Pass on everything but a lifespan; run it inside `before` and with `after` inside of it.

    `before` is entered first and left last; `after` is entered with the application when its own
    lifespan has started, and left before its own lifespan stops. What they raise is raised: the
    framework or the server reports the failed start.
    """

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        async with AsyncExitStack() as outer, AsyncExitStack() as inner:
            await outer.enter_async_context(before())

            async def send_on(message: Message) -> None:
                if message["type"] == "lifespan.startup.complete":
                    await inner.enter_async_context(after(scope["app"]))
                elif message["type"] in LAST:  # after it the server cancels what still runs
                    await outer.aclose()
                await send(message)

            async def receive_on() -> Message:
                message = await receive()
                if message["type"] == "lifespan.shutdown":
                    await inner.aclose()
                return message

            await app(scope, receive_on, send_on)

    return run


@asynccontextmanager
async def open_dependencies(dependencies: Iterable[Any]) -> AsyncIterator[None]:
    """Open dependencies in order; close them in reverse, each within its time."""
    async with AsyncExitStack() as stack:
        for each in dependencies:
            await each.open()
            stack.push_async_callback(_close, each)
        yield


async def _close(part: Any) -> None:
    """Close a part; what hangs is logged and left, so that the stop goes on."""
    name = type(part).__name__
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await part.close()
    except TimeoutError:
        log.warning("%s was not closed within %g s; left as it is", name, CLOSE_SECONDS)
