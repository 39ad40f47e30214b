"""Instructions of the generated service over those of the same work by hand (plain.py)."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.variants import PROJECT

ROOT = Path(__file__).parent.parent
ROWS = 20_000
FILL = f"INSERT INTO items (name, price_cents) SELECT 'tea', 250 FROM generate_series(1, {ROWS})"
REQUESTS, WARM_UP = 100, 60
JSON = b"content-type: application/json\r\n"
BODY = b'{"name": "coffee", "price": 12.5}'
TARGETS = {
    "read, cached": "GET /items/1",
    "page of 20": "GET /items?after=%d",
    "create": "POST /items",
    "read, from the database": "GET /items/%d",
    "/livez": "GET /livez",
    "404": "GET /nothing/here",
}


class Client:
    """One connection over which one request after the other is sent."""

    def __init__(self, port: int, headers: bytes = b"") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._file = self._socket.makefile("rb")
        self._headers = b"host: localhost\r\nuser-agent: bench/1.0\r\naccept: */*\r\n" + headers
        self._at = 1000

    def send(self, target: str, times: int) -> None:
        for _ in range(times):
            self._at += 1
            line = (target % self._at if "%" in target else target).encode() + b" HTTP/1.1\r\n"
            more, body = b"", b""
            if target.startswith("POST"):
                more, body = JSON + b"content-length: %d\r\n" % len(BODY), BODY
            self._socket.sendall(line + self._headers + more + b"\r\n" + body)
            status, length = int(self._file.readline().split()[1]), 0
            while (header := self._file.readline()) != b"\r\n":
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            body = self._file.read(length)
            if status != {"POST": 201}.get(target.split()[0], 404 if "nothing" in target else 200):
                sys.exit(f"{target}: {status} {body!r}; expected another status")


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """A PostgreSQL with rows and a Valkey; the settings of a service that uses them."""
    from vitals.ops.services import postgres, valkey

    with ExitStack() as stack:
        environment = {
            service.setting: stack.enter_context(service.throw_away()).url
            for service in (postgres.SERVICE, valkey.SERVICE)
        }
        postgres.prepare(environment)
        yield environment


def count(command: Sequence[str], environment: dict[str, str], names: Sequence[str]) -> list[int]:
    """Instructions of a request, for each of the named."""
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        valgrind += [f"--toggle-collect={name}" for name in ("malloc", "free", "realloc", "calloc")]
        valgrind += ["--collect-atstart=yes", "--dump-before=getloadavg"]
        process = subprocess.Popen(
            [*valgrind, *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        try:
            port = 0
            while not port:
                line = process.stderr.readline()
                if not line:
                    sys.exit(f"{command} ended")
                print(line, end="")
                port = int(line) if line.strip().isdigit() else 0
            client, counted, marks = Client(port), [], 0
            for name in names:
                client.send(TARGETS[name], WARM_UP)
                for times in (0, REQUESTS):
                    client.send(TARGETS[name], times)
                    process.send_signal(signal.SIGUSR2)
                    while (line := process.stderr.readline()) != "marked\n":
                        print(line, end="")
                    marks += 1
                text = Path(folder, f"out.{marks}").read_text()
                total = int(re.search(r"^totals: (\d+)", text, re.MULTILINE)[1])
                counted.append(total // REQUESTS)
                print(command[-2:], name, counted[-1], flush=True)
            return counted
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    import asyncio

    import asyncpg

    async def fill(url):
        c = await asyncpg.connect(url)
        await c.execute(FILL)
        await c.close()

    with servers() as environment:
        asyncio.run(fill(environment["APP_DATABASE_URL"]))
        env = {**os.environ, **environment, "APP_ENVIRONMENT": "test", "PYTHONHASHSEED": "0"}
        if os.environ.get("NOCACHE"):
            env["APP_CACHE_URL"] = "mem://"
        for kind in sys.argv[1].split(","):
            for more in sys.argv[2].split(","):
                names = list(TARGETS) if len(sys.argv) < 4 else sys.argv[3].split(";")
                count([sys.executable, "-m", "benchmarks.served", kind, more], env, names)
