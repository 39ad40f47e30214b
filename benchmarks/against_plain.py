"""Instructions of a request behind real servers: python -m benchmarks.against_plain

The generated service and the same work by hand (plain.py) run on a throw-away PostgreSQL and
Valkey; then bare FastAPI and ours with the settings of production. Prints JSON.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import IO, NamedTuple

import asyncpg

from benchmarks import callgrind
from benchmarks.variants import PROJECT  # noqa: F401 - it puts the project on the path
from vitals.ops.services import postgres, valkey

WARM_UP, REQUESTS = 20, 30
FILL = "INSERT INTO items (name, price_cents) SELECT 'tea', 250 FROM generate_series(1, 20000)"
BODY = '{"name": "coffee", "price": 12.5}'
HEADERS = "host: localhost\r\nuser-agent: bench/1.0\r\naccept: */*\r\n"
HEAD_ENDS = {  # of the head, by the target: other headers, and the body
    "POST /items": f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n{BODY}",
    "GET /items0/8": "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\n\r\n",
}
READ, PAGE, CREATE, LOAD = "GET /items/1", "GET /items?after=%d", "POST /items", "GET /items/%d"
LIVE, MISSED, ITEM, FORWARDED = "GET /livez", "GET /nothing/here", "GET /items0/7", "GET /items0/8"
ALL = [READ, PAGE, CREATE, LOAD, LIVE, MISSED]
STATUSES = {CREATE: 201, MISSED: 404}


class Run(NamedTuple):
    kind: str
    more: int  # routes
    targets: list[str]
    settings: Mapping[str, str] = MappingProxyType({})

    def name(self) -> str:
        without = "without a cache, " if self.settings else ""
        return f"{self.kind}, {without}{self.more} more"


NO_CACHE = {"APP_CACHE_URL": "mem://"}
RUNS = [
    *(Run(kind, 0, ALL) for kind in ("plain", "generated")),
    *(Run(kind, 100, [READ, PAGE, MISSED]) for kind in ("plain", "generated")),
    Run("generated", 0, [PAGE, CREATE], NO_CACHE),
    Run("generated", 100, [PAGE], NO_CACHE),
    *(Run(kind, 0, [ITEM, FORWARDED]) for kind in ("bare", "installed")),
]


class Client:
    """One connection over which one request after the other is sent."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._file, self._at = self._socket.makefile("rb"), 1000

    def send(self, target: str, times: int) -> None:
        """Send requests, each for another row where the target has room for a number."""
        for _ in range(times):
            self._at += 1
            line = target % self._at if "%" in target else target
            request = f"{line} HTTP/1.1\r\n{HEADERS}" + HEAD_ENDS.get(target, "\r\n")
            self._socket.sendall(request.encode())
            status, length = int(self._file.readline().split()[1]), 0
            while (header := self._file.readline().lower()) != b"\r\n":
                if header.startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            body = self._file.read(length)
            if status != (expected := STATUSES.get(target, 200)):
                sys.exit(f"{line}: {status} {body!r}; expected {expected}")


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """A PostgreSQL with rows and a Valkey; the settings of a service that uses them."""
    with ExitStack() as stack:
        settings = {
            service.setting: stack.enter_context(service.throw_away()).url
            for service in (postgres.SERVICE, valkey.SERVICE)
        }
        postgres.SERVICE.prepare(settings)
        asyncio.run(_fill(settings["APP_DATABASE_URL"]))
        yield settings | {"APP_ENVIRONMENT": "test", "PYTHONHASHSEED": "0"}


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(FILL)
    await connection.close()


def count(run: Run, settings: dict[str, str]) -> dict[str, int]:
    """Instructions of a request, for each target."""
    measured = [sys.executable, "-m", "benchmarks.served", run.kind, str(run.more)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*callgrind.command(folder), *measured],
            env={**os.environ, **settings, **run.settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        try:
            client = Client(int(_await(process.stderr, "")))
            for target in run.targets:
                client.send(target, WARM_UP)
                for times in (0, REQUESTS):
                    client.send(target, times)
                    process.send_signal(signal.SIGUSR2)
                    _await(process.stderr, "marked\n")
            counted = [total // REQUESTS for total in callgrind.totals(folder)[::2]]
        finally:
            process.kill()
    sys.stderr.write(f"instructions: {run.name()}: {counted}\n")
    return dict(zip(run.targets, counted, strict=True))


def _await(output: IO[str], line: str) -> str:
    """Read until a line, or a number where none is given."""
    for said in output:
        if said == line or (not line and said.strip().isdigit()):
            return said
    sys.exit("a measured server ended; expected it to serve")


def main() -> None:
    with servers() as settings, ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = pool.map(lambda run: count(run, settings), RUNS)
        results = {run.name(): each for run, each in zip(RUNS, counted, strict=True)}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
