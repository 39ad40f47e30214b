"""A deployment target of files that tests can look into, and a service with given answers."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from vitals.ops.deploy import smoke, state
from vitals.ops.deploy.history import Entry
from vitals.ops.deploy.targets import Replica
from vitals.ops.release.releases import Build, Release
from vitals.ops.run.steps import Refused

Answers = dict[str, tuple[int, dict[str, object] | str]]  # JSON, or text as it is
GOOD: Answers = {"/readyz": (200, {"status": "pass"}), "/items": (200, {"next": None})}
GOOD["/items/1"] = (200, {"id": 1})
SLO = """
[[seed]]
request = "POST /items"
body = { name = "coffee", price = 12.5 }
times = 2

[[route]]
route = "/items"
request = "GET /items?limit=20"
rate = 20
p95_ms = 250
availability = 99.9

[[route]]
route = "/items/{item_id}"
request = "GET /items/1"
rate = 50
p95_ms = 100
availability = 99.9
"""
HEADERS = {
    "X-Request-ID": "0123456789",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def metrics(requests: int = 0, errors: int = 0, started: float = 1, memory: int = 90 << 20) -> str:
    """What /metrics of a service says that answered /items so often, quickly, in one statement."""
    duration, calls = "http_server_request_duration_seconds", "http_server_request_db_calls"
    counts = {"200": requests - errors, "500": errors}
    lines = [f"process_start_time_seconds {started}", f"process_resident_memory_bytes {memory}"]
    for status, count in counts.items():
        labels = (
            f'http_request_method="GET",http_route="/items",http_response_status_code="{status}"'
        )
        lines += [
            f'{duration}_bucket{{{labels},le="{le}"}} {count}' for le in ("0.1", "0.25", "+Inf")
        ]
        lines += [f"{duration}_count{{{labels}}} {count}"]
    values = {"0": 0, "1": requests, "+Inf": requests}
    lines += [f'{calls}_bucket{{http_route="/items",le="{le}"}} {n}' for le, n in values.items()]
    return "\n".join(lines)


def release(version: str, folder: Path) -> Release:
    (folder / "config").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "slo.toml").write_text(SLO)
    return Release(Build(version, f"commit-of-{version}"), folder, "staging")


class Place:
    """Two slots; what runs there, what is live and the history are files, which outlive us."""

    slots = ("blue", "green")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.releases: Path | None = folder.parent
        self.broken: Answers = {}  # what the service answers wrongly, by path
        self.metrics: Callable[[str], str] = lambda _: metrics()  # of a version, at each look

    def alone(self) -> AbstractContextManager[None]:
        return state.alone(self.folder, "process 1")

    def tidy(self, entries: Sequence[Entry]) -> None:
        self.tidied = [each.version for each in entries]

    def open(self, _: Release) -> None:
        self.folder.mkdir(exist_ok=True)

    def state(self) -> tuple[str, str]:
        slot, text = (self._read(name) for name in ("slot", "history"))
        return slot, text

    def prepare(self, release: Release) -> None: ...

    def migrate(self, release: Release) -> None: ...

    def start(self, release: Release, slot: str) -> None:
        (self.folder / slot).write_text(json.dumps(release.build))

    def running(self, slot: str) -> bool:
        return (self.folder / slot).exists()

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        if not self.running(slot):
            raise Refused(f"nothing runs in {slot}")
        build = Build(*json.loads(self._read(slot)))
        answers: Answers = {"/metrics": (200, self.metrics(build.version)), **self.broken}
        with answering(build, answers) as url:
            yield url

    @contextmanager
    def replicas(self, slot: str) -> Iterator[list[Replica]]:
        with self.reach(slot) as url:
            yield [Replica(slot, url)]

    def token(self, file: str) -> str:
        return file

    def log(self, slot: str, containing: str = "") -> str:
        return f"the log of {slot} {containing}".rstrip()

    def stop(self, slot: str) -> None:
        (self.folder / slot).unlink(missing_ok=True)

    def switch(self, slot: str, history: str) -> None:
        (self.folder / "history").write_text(history)
        (self.folder / "slot").write_text(slot)

    def _read(self, name: str) -> str:
        file = self.folder / name
        return file.read_text() if file.exists() else ""


@contextmanager
def answering(build: Build, broken: Answers, without: str = "") -> Iterator[str]:
    """Serve what a deployment expects, but for `broken` answers and one header."""
    problem: dict[str, object] = dict.fromkeys(smoke.MEMBERS, "")
    answers: Answers = {
        **GOOD,
        "/livez": (200, {"status": "pass"}),
        "/health": (200, {"version": build.version, "releaseId": build.commit}),
        "/no-such-path": (404, problem),
        **broken,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            status, content = answers[self.path.partition("?")[0]]
            is_problem = status == 404 and "errors" not in content  # a shape of the team's
            kind = "application/problem+json" if is_problem else "application/json"
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            headers = HEADERS | {"Content-Type": kind, "Content-Length": str(len(body))}
            for name, value in headers.items():
                if name != without:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
