"""The generated service: how to start it for a fault, watch it and stop it."""

import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from tests import baking
from tests.faults.client import Answer, ask

SLOW_ROUTES = Path(__file__).with_name("slow_routes.py")
OPS_TOKEN = "ops-token-of-the-faults"
LISTENS = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Project:
    """A generated project, set up."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / ".venv" / "bin" / "python")


class Service:
    """The service as it is shipped, or with slow routes; settings are given by name."""

    def __init__(
        self,
        project: Project,
        log: Path,
        *,
        slow_routes: bool = False,
        wrap: Sequence[str] = (),
        descriptors: int = 0,
        stdout: IO[bytes] | None = None,
        environ: dict[str, str] | None = None,
        **settings: object,
    ) -> None:
        self.log = log
        self.port = 0
        program = [str(SLOW_ROUTES)] if slow_routes else ["-m", "app"]
        defaults = {"ENVIRONMENT": "test", "PORT": "0", "OPS_TOKEN": OPS_TOKEN}
        chosen = defaults | {name.upper(): str(value) for name, value in settings.items()}
        settings = {f"APP_{name}": value for name, value in chosen.items()}
        with log.open("wb") as lines:
            self.process = subprocess.Popen(
                [*wrap, project.python, *program],
                cwd=project.folder,
                env=baking.environment(PYTHONPATH=str(project.folder), **settings, **environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=stdout or lines,
                stderr=lines,
                preexec_fn=(lambda: _limit(descriptors)) if descriptors else None,
            )
        self._given_port = int(chosen["PORT"])

    def up(self, within_seconds: float = 40) -> "Service":
        """Wait until it listens. Asserts with its log if it does not."""
        ended = self.process.poll
        baking.wait_until(lambda: self._listens() or ended() is not None, within_seconds)
        assert ended() is None, self.log.read_text()
        return self

    def _listens(self) -> bool:
        if found := LISTENS.search(self.log.read_text()):
            self.port = int(found[1])
        elif self._given_port and accepts(self._given_port):
            self.port = self._given_port  # its log is not for us to read
        return self.port != 0

    def ask(self, path: str, method: str = "GET", content: object = None) -> Answer:
        return ask(self.port, path, method, content)

    def ready(self) -> bool:
        return self.ask("/readyz").status == 200

    def checks(self) -> dict[str, str]:
        """The status of each check, from /health."""
        checks = self.ask("/health").json()["checks"]
        return {name: states[0]["status"] for name, states in checks.items()}

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of a metric over the series whose labels contain a text."""
        answer = ask(self.port, "/metrics", token=OPS_TOKEN)
        assert answer.status == 200, answer
        lines = answer.body.decode().splitlines()
        found = [line for line in lines if re.match(rf"{name}[ {{]", line) and labels in line]
        return sum(float(line.split()[-1]) for line in found)

    def rss_mb(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def signal(self, number: int) -> float:
        """Send a signal; return its time by `time.monotonic`."""
        self.process.send_signal(number)
        return time.monotonic()

    def stop(self) -> None:
        """Stop it in any state."""
        for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGTERM):
            if self.process.poll() is None:
                self.process.send_signal(number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def accepts(port: int) -> bool:
    """Whether a process listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _limit(descriptors: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
