"""Which service is measured? One that is started here as it ships, or one that runs elsewhere.

What a request cost is what the service's own log says of it: its histograms are too coarse for a
change of 5 %. Of a service elsewhere we have no log; its Server-Timing header says it.
"""

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from vitals.ops import services
from vitals.ops.deploy import smoke, staging
from vitals.ops.deploy.targets.process import Processes
from vitals.ops.measure.load import Connection, Request
from vitals.ops.measure.vitals import Cost
from vitals.ops.project.token import Issuer, publish
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

MARK = "measured-"
LOG_SECONDS = 10
CLEAR_SECONDS = 10
READABLE = {"APP_LOG_LEVEL": "info", "APP_LOG_FORMAT": "json"}


class Side(Protocol):
    """A service that is measured, by one request at a time."""

    caches: bool

    def ask(self, request: Request, /) -> int:
        """Send a request that is not measured; return the status."""

    def measured(self, request: Request) -> str:
        """Send a request that is measured; return its id."""

    def forget(self, features: Sequence[str]) -> None:
        """Clear the cache of these features, and nothing else."""

    def costs(self) -> dict[str, Cost]:
        """What each measured request cost so far, by its id."""

    def close(self) -> None: ...


class Started:
    """A service that was started here."""

    def __init__(self, connection: Connection, log: Path, ops_token: str, caches: bool) -> None:
        self.caches = caches
        self.close = connection.close
        self._connection = connection
        self._log = log
        self._ops = {"Authorization": f"Bearer {ops_token}"}
        self._numbers = itertools.count()
        self._sent: list[str] = []

    def ask(self, request: Request) -> int:
        return self._connection.ask(request, {}).status

    def measured(self, request: Request) -> str:
        name = f"{MARK}{id(self):x}-{next(self._numbers)}"
        self._connection.ask(request, {"X-Request-ID": name})
        self._sent.append(name)
        return name

    def forget(self, features: Sequence[str]) -> None:
        deadline = time.monotonic() + CLEAR_SECONDS
        for feature in features if self.caches else ():
            request = Request("DELETE", f"/cache/{feature}")
            while (status := self._connection.ask(request, self._ops).status) != 200:
                if status != 503 or time.monotonic() > deadline:  # 503: the cache was too slow
                    raise Refused(f"DELETE /cache/{feature} was answered {status}", "200")
                time.sleep(0.05)

    def costs(self) -> dict[str, Cost]:
        """Wait until the log tells of all; raises `Refused` after 10 s."""
        deadline = time.monotonic() + LOG_SECONDS
        while missing := self._sent - (found := self._read()).keys():
            if time.monotonic() > deadline:
                raise Refused(
                    f"{len(missing)} requests are not in the service's log", "a line each"
                )
            time.sleep(0.05)
        return found

    def _read(self) -> dict[str, Cost]:
        whole = self._log.read_text(errors="replace").rpartition("\n")[0]
        lines = (line for line in whole.splitlines() if f'"request_id":"{MARK}' in line)
        told = (line for line in map(json.loads, lines) if line["event"] == "request")
        return {line["request_id"]: Cost.logged(line) for line in told}


class Elsewhere:
    """A service that runs already. Nothing of it is changed: no seed, no cleared cache."""

    caches = False

    def __init__(self, connection: Connection) -> None:
        self.close = connection.close
        self._connection = connection
        self._costs: dict[str, Cost] = {}

    def ask(self, request: Request) -> int:
        return self._connection.ask(request, {}).status

    def measured(self, request: Request) -> str:
        name = str(len(self._costs))
        answer = self._connection.ask(request, {})
        self._costs[name] = Cost.timed(answer.status, answer.getheader("Server-Timing"))
        return name

    def forget(self, features: Sequence[str]) -> None: ...

    def costs(self) -> dict[str, Cost]:
        return self._costs


class Ground(NamedTuple):
    """Where a service was started, and how it is reached."""

    connect: Callable[[], Side]
    described: list[str]


@contextmanager
def started(release: Release, seeds: Sequence[Request]) -> Iterator[Ground]:
    """Serve a release as in staging, on real servers and a database of its own, with its seeds.

    Raises `Refused` with its log when it does not get ready, and when it refuses a seed.
    """
    issuer = Issuer()
    with ExitStack() as stack:
        private = tempfile.TemporaryDirectory(prefix="measured-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(private))
        publish(folder / "issuer", issuer)
        behind = stack.enter_context(services.running(prepared=False))
        changed = issuer.settings(folder / "issuer") | READABLE
        staging.keep_secrets(folder / "secrets", release, behind.environment)
        processes = Processes(folder, changed, behind.environment, stack)
        slot, _ = processes.slots
        url = _start(processes, release, slot)
        headers = staging.headers(release, issuer)
        ops_token = (
            folder / "secrets" / releases.secret_files(release)["APP_OPS_TOKEN"]
        ).read_text()
        caches = (release.folder / "app" / "cache.py").exists()

        def connect() -> Side:
            log = folder / f"{slot}.log"
            return Started(Connection(url, headers), log, ops_token, caches)

        _seed(connect(), seeds)
        yield Ground(connect, behind.described)


def working_tree() -> Release:
    """The files as they lie here."""
    return Release(Build("this-tree", "unknown"), shell.ROOT, staging.ENVIRONMENT)


def _start(processes: Processes, release: Release, slot: str) -> str:
    processes.prepare(release)
    if (release.folder / "migrations").is_dir():
        processes.migrate(release)
    processes.start(release, slot)
    with processes.reach(slot) as url:
        try:
            smoke.wait_until_ready(url, lambda: processes.running(slot), releases.host(release))
        except Refused as refused:
            refused.output = processes.log(slot)
            raise
    return url


def _seed(side: Side, seeds: Sequence[Request]) -> None:
    for seed in seeds:
        if (status := side.ask(seed)) >= 400:
            found = f"the seed {seed.method} {seed.path} was answered {status}"
            raise Refused(found, "success", "correct config/slo.toml")
    side.close()
