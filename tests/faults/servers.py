"""Real servers: how to freeze, stop and restart what the service depends on."""

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil

from tests import baking
from tests.faults.service import Project, accepts

HOLD = """
import json, sys
from vitals.ops import services
with services.running() as running:
    services.prepare(running.environment)
    print(json.dumps(running.environment), flush=True)
    sys.stdin.read()
"""


class Server:
    """A real PostgreSQL or Valkey, started by the project's own `vitals.ops.services`."""

    def __init__(self, url: str, process: psutil.Process, options: Sequence[str] = ()) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2].partition("/")[0])
        self._process = process
        self._command = [process.exe(), *(options or process.cmdline()[1:])]
        self._user, self._group = process.uids().real, process.gids().real

    def freeze(self) -> None:
        """Suspend it: it keeps its connections and answers nothing."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def stop(self) -> None:
        """Shut it down; its connections are closed."""
        self._process.send_signal(signal.SIGINT)
        baking.wait_until(lambda: not self._runs(), 20)
        if isinstance(self._process, psutil.Popen):  # our own child
            self._process.wait()

    def start(self) -> None:
        """Start it again on the same port."""
        self._process = psutil.Popen(
            self._command,
            user=self._user,
            group=self._group,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        baking.wait_until(lambda: accepts(self.port), 20)

    def restore(self) -> None:
        """Have it run for the next test."""
        if self._runs():
            self.thaw()
        else:
            self.start()

    def end(self) -> None:
        if self._runs():
            self.stop()

    def _runs(self) -> bool:
        return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE

    def _send(self, number: int) -> None:
        for process in [self._process, *self._process.children(recursive=True)]:
            process.send_signal(number)


@contextmanager
def held(project: Project) -> Iterator[tuple[Server, Server]]:
    """A throw-away PostgreSQL with the schema in it, and a throw-away Valkey."""
    command = [project.python, "-c", HOLD]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=baking.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        environment = _environment(holder)
        children = {p.name().split("-")[0]: p for p in psutil.Process(holder.pid).children()}
        cache_url = environment["APP_CACHE_URL"]
        port = cache_url.rpartition(":")[2].partition("/")[0]
        servers = (
            Server(environment["APP_DATABASE_URL"], children["postgres"]),
            # its process shows no longer how it was started
            Server(cache_url, children["valkey"], ["--port", port, "--save", ""]),
        )
        yield servers
        for server in servers:
            server.end()
        holder.communicate()


def _environment(holder: "subprocess.Popen[str]") -> dict[str, str]:
    """The settings that the holder prints once both servers are up."""
    assert holder.stdout is not None
    for line in holder.stdout:
        if line.startswith("{"):
            environment: dict[str, str] = json.loads(line)
            return environment
    raise AssertionError("the throw-away servers did not start: see above")
