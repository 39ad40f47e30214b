"""A service under callgrind: python -m benchmarks.served plain|generated ROUTES

`generated` is the project as it is; ROUTES more are looked at before its own. It prints its port;
at SIGUSR2 callgrind writes its counts, at the call of `getloadavg`, and then a line is printed.
What runs by the clock (checks, the lines' thread, statistics) is kept out of the counts.
"""

import gc
import os
import signal
import sys

import uvicorn
from fastapi import FastAPI

from benchmarks import variants  # noqa: F401 - it puts the project on the path
from vitals.health import checks, event_loop
from vitals.observability import logs
from vitals.server.serve import bind
from vitals.server.server import Server

NEVER = 3600.0  # seconds


def mark(*_: object) -> None:
    logs.stdout.close()
    os.getloadavg()
    say("marked")


def say(text: object) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def add_routes(app: FastAPI, count: int) -> None:
    """Put routes before those of the application, as the last of many finds them."""
    own, app.router.routes[:] = [*app.router.routes], []

    async def work(thing_id: int) -> dict[str, int]:
        return {"id": thing_id}

    for number in range(count):
        app.get(f"/things{number}/{{thing_id}}", name=f"things{number}")(work)
    app.router.routes.extend(own)


def plain(more: int) -> uvicorn.Server:
    """The hand-written service without an access log: its lines would cost more."""
    from benchmarks.plain import app, routes

    app.include_router(routes)
    add_routes(app, more)
    return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))


def generated(more: int) -> uvicorn.Server:
    """The generated service, with all that is installed by default."""
    import vitals
    from app import dependencies, main
    from app.settings import Settings

    if os.environ["APP_CACHE_URL"] == "mem://":  # as a project generated without a cache
        dependencies.CachedItems = lambda items, *_, **__: items

    install = vitals.install

    def install_later(app: FastAPI, *arguments: object, **named: object) -> None:
        add_routes(app, more)
        install(app, *arguments, **named)

    vitals.install = install_later
    settings = vitals.load(Settings, os.environ)
    logs.install(logs.stdout, settings.log_format, settings.log_level)
    return Server(main.create_app(settings), settings)


def main() -> None:
    kind, more = sys.argv[1:]
    logs.GATHER_SECONDS = checks.INTERVAL_SECONDS = event_loop.EVERY_SECONDS = NEVER
    server = {"plain": plain, "generated": generated}[kind](int(more))
    signal.signal(signal.SIGUSR2, mark)
    listener = bind("127.0.0.1", 0)
    listener.listen()
    say(listener.getsockname()[1])
    gc.collect()
    gc.freeze()
    gc.disable()
    server.run([listener])


if __name__ == "__main__":
    main()
