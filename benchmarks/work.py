"""What one measured process does: python -m benchmarks.work instructions|serve VARIANT

`instructions` is started under callgrind, which writes down its counts at each call of
`getloadavg`: a C function that nothing else here calls.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any

from fastapi import FastAPI

from benchmarks import variants

WARM_UP, FEW, MANY = 10, 4, 20  # requests: before, and of the two lengths of a run
AT_THE_END = 3600.0  # seconds: lines are written when a run is over, and are counted with it
HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"bench/1.0"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
]
Ask = Callable[[int], Awaitable[None]]


def asker(app: FastAPI, path: str, method: str = "GET") -> Ask:
    """A function that asks the app in process, as a server would."""
    received = {"type": "http.request", "body": b"", "more_body": False}

    async def receive() -> dict[str, Any]:
        return received

    async def send(message: Any) -> None:
        pass

    async def ask(times: int) -> None:
        for _ in range(times):
            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "server": ("127.0.0.1", 8000),
                "client": ("127.0.0.1", 50000),
                "scheme": "http",
                "method": method,
                "root_path": "",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": HEADERS,
                "state": {},
            }
            await app(scope, receive, send)

    return ask


def instructions(name: str) -> None:
    """For each shape: warm up, then a few requests, then many."""
    from vitals.observability import logs

    logs.GATHER_SECONDS = AT_THE_END

    async def run() -> None:
        for _, shapes in groupby(variants.shapes_of(name), lambda each: each[:2]):
            app = None
            for shape in shapes:
                app = app or variants.build(name, shape)
                ask = asker(app, shape.path())
                await ask(WARM_UP)
                gc.collect()
                gc.freeze()
                gc.disable()  # when it runs depends on what came before
                for times in (FEW, MANY):
                    os.getloadavg()
                    await ask(times)
                    logs.stdout.close()
                os.getloadavg()
                gc.enable()

    asyncio.run(run())


def serve(name: str) -> None:
    """Serve on a free port, which is written to standard error, until killed."""
    import socket

    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    sys.stderr.write(f"{listener.getsockname()[1]}\n")
    sys.stderr.flush()
    app = variants.build(name, variants.BUSY)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])


if __name__ == "__main__":
    {"instructions": instructions, "serve": serve}[sys.argv[1]](sys.argv[2])
