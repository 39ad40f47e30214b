"""A server under callgrind: python -m benchmarks.served KIND ROUTES

`generated` is the project as it is, `plain` the same by hand: there ROUTES more are tried before
its own. `bare` and `installed` are the variants with one route. It prints its port; at SIGUSR2 it
marks the counts and prints a line. Nothing runs by the clock: under callgrind a request takes so
long that it would pay for many seconds of a service.
"""

import asyncio
import gc
import os
import signal
import sys

import uvicorn
from fastapi import FastAPI

from benchmarks import variants  # it puts the project on the path
from vitals import cache_stores
from vitals.health import checks, event_loop
from vitals.observability import logs
from vitals.security import request_timeout
from vitals.server.serve import bind
from vitals.server.server import Server

NEVER = 3600.0  # seconds
IN_PRODUCTION = {"APP_ALLOWED_HOSTS": "localhost", "APP_TRUSTED_PROXIES": "127.0.0.1"}


def mark(*_: object) -> None:
    logs.stdout.close()
    os.getloadavg()
    say("marked")


async def tick_once(server: uvicorn.Server) -> None:
    """In the place of the loop in which uvicorn's servers look at the clock."""
    await server.on_tick(0)
    await asyncio.sleep(NEVER)


def say(text: object) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def add_routes(app: FastAPI, count: int) -> None:
    """Put routes before those of the application."""
    own, app.router.routes[:] = [*app.router.routes], []

    async def work(thing_id: int) -> dict[str, int]:
        return {"id": thing_id}

    for number in range(count):
        app.get(f"/things{number}/{{thing_id}}")(work)
    app.router.routes.extend(own)


def bare(_: int) -> uvicorn.Server:
    return _uvicorn(variants.build(variants.BARE, variants.ONE))


def installed(_: int) -> uvicorn.Server:
    app = variants.installed(variants.ONE, **IN_PRODUCTION)
    return Server(app, app.state.vitals._options.settings)


def plain(more: int) -> uvicorn.Server:
    from benchmarks.plain import app, routes

    app.include_router(routes)
    add_routes(app, more)
    return _uvicorn(app)


def _uvicorn(app: FastAPI) -> uvicorn.Server:
    """Without an access log: with it, these would cost more."""
    return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))


def generated(more: int) -> uvicorn.Server:
    """The generated service as it is installed by default; without a cache if that is no server."""
    import vitals
    from app import dependencies, main
    from app.settings import Settings

    install = vitals.install

    def install_later(app: FastAPI, *arguments: object, **named: object) -> None:
        add_routes(app, more)
        install(app, *arguments, **named)

    vitals.install = install_later
    if os.environ["APP_CACHE_URL"] == "mem://":  # as a project that was generated without one
        dependencies.CachedItems = lambda items, *_, **__: items
    settings = vitals.load(Settings, os.environ)
    return Server(main.create_app(settings), settings)


KINDS = {"plain": plain, "generated": generated, "bare": bare, "installed": installed}


def main() -> None:
    kind, more = sys.argv[1:]
    logs.GATHER_SECONDS = checks.INTERVAL_SECONDS = event_loop.EVERY_SECONDS = NEVER
    request_timeout.SWEEP_SECONDS = cache_stores.TICK_SECONDS = NEVER
    uvicorn.Server.main_loop = tick_once
    server = KINDS[kind](int(more))
    logs.install(logs.stdout, "json", "info")
    signal.signal(signal.SIGUSR2, mark)
    listener = bind("127.0.0.1", 0)
    listener.listen()
    say(listener.getsockname()[1])
    gc.collect()
    gc.freeze()
    gc.disable()  # when it runs depends on what came before
    server.run([listener])


if __name__ == "__main__":
    main()
