"""What one measured process does: python -m benchmarks.work instructions|cpu|serve …

`instructions` is started under callgrind, which writes down its counts at each call of
`getloadavg`: a C function that nothing else here calls.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from benchmarks import variants

# By the number of routes: requests to warm up, and the two lengths of a run. A request is dear
# where there are many routes, and there fewer of them tell as much.
LENGTHS = {1: (30, 20, 276), 100: (12, 8, 40), 1000: (12, 4, 20)}
ROUNDS, REQUESTS = 15, 1000
SETTLE_SECONDS = 0.1  # what a round left to other threads is done before the next one
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


def path_of(routes: int, hit: bool) -> str:
    return f"/items{routes - 1}/7" if hit else "/nothing/here"


def instructions(name: str) -> None:
    """For each number of routes and hit and miss: warm up, then a few requests, then many."""
    from vitals.observability import logs

    logs.GATHER_SECONDS = AT_THE_END

    async def run() -> None:
        for routes, (warm_up, few, many) in LENGTHS.items():
            app = variants.build(name, routes)
            for hit in (True, False):
                ask = asker(app, path_of(routes, hit))
                await ask(warm_up)
                gc.collect()
                gc.freeze()
                gc.disable()  # when it runs depends on what came before
                for times in (few, many):
                    os.getloadavg()
                    await ask(times)
                    logs.stdout.close()
                os.getloadavg()
                gc.enable()

    asyncio.run(run())


def cpu(names: list[str]) -> None:
    """Rounds of all variants in turn; prints the CPU seconds of each round."""

    async def run() -> dict[str, list[float]]:
        asks = {name: asker(variants.build(name, 1), path_of(1, True)) for name in names}
        spent: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name, ask in asks.items():
                started = time.process_time()
                await ask(REQUESTS)
                await asyncio.sleep(SETTLE_SECONDS)
                spent[name].append(time.process_time() - started)
        return spent

    sys.stderr.write(json.dumps(asyncio.run(run())))


def serve(name: str) -> None:
    """Serve on a free port, which is written to standard error, until killed."""
    import socket

    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    sys.stderr.write(f"{listener.getsockname()[1]}\n")
    sys.stderr.flush()
    config = uvicorn.Config(
        variants.build(name, 1), log_config=None, access_log=False, loop="uvloop", http="httptools"
    )
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    mode, *rest = sys.argv[1:]
    if mode == "instructions":
        instructions(rest[0])
    elif mode == "cpu":
        cpu(rest)
    else:
        serve(rest[0])
