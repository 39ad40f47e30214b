"""Services that are measured: one that runs elsewhere, or one that is deployed here as it ships.

The cost of a request is what the service's own access log says: its histograms are too coarse for a
change of 5 %. The log of a remote service is out of reach; its Server-Timing header says it.
"""

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vitals.ops.deploy import deploy, staging
from vitals.ops.deploy.targets import process
from vitals.ops.measure.load import Connection, Load, Request
from vitals.ops.measure.vitals import Cost
from vitals.ops.project.token import Issuer, publish
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

MARK = "measured-"
LOG_SECONDS = 10
CLEAR_SECONDS = 10
READABLE_LOG = {"APP_LOG_LEVEL": "info", "APP_LOG_FORMAT": "json"}


class Service:
    """A service that runs anywhere, measured one request at a time. Nothing of it is changed."""

    caches = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._costs: dict[str, Cost] = {}

    def send(self, request: Request) -> int:
        """Send a request that is not measured; return the status."""
        return self._connection.send(request, {}).status

    def measure(self, request: Request) -> str:
        """Send a request that is measured; return its id."""
        name = str(len(self._costs))
        answer = self._connection.send(request, {})
        self._costs[name] = Cost.timed(answer.status, answer.getheader("Server-Timing"))
        return name

    def costs(self) -> dict[str, Cost]:
        """Return what each measured request cost so far, by its id."""
        return self._costs

    def clear_cache(self, features: Sequence[str]) -> None:
        """Clear the cache of these features and nothing else, where `caches` says that it may."""

    def close(self) -> None:
        self._connection.close()


class LocalService(Service):
    """A service that was deployed here, so that its log can be read and its cache cleared."""

    def __init__(self, connection: Connection, log: Path, ops_token: str, caches: bool) -> None:
        super().__init__(connection)
        self.caches = caches
        self._log = log
        self._ops = {"Authorization": f"Bearer {ops_token}"}
        self._numbers = itertools.count()
        self._sent: list[str] = []

    def measure(self, request: Request) -> str:
        name = f"{MARK}{id(self):x}-{next(self._numbers)}"
        self._connection.send(request, {"X-Request-ID": name})
        self._sent.append(name)
        return name

    def costs(self) -> dict[str, Cost]:
        """Wait until the log has all requests; raises `Refused` after 10 s."""
        deadline = time.monotonic() + LOG_SECONDS
        while missing := self._sent - (found := self._logged()).keys():
            if time.monotonic() > deadline:
                found = f"{len(missing)} requests are not in the service's log"
                raise Refused(found, "a line each")
            time.sleep(0.05)
        return found

    def clear_cache(self, features: Sequence[str]) -> None:
        deadline = time.monotonic() + CLEAR_SECONDS
        for feature in features if self.caches else ():
            request = Request("DELETE", f"/cache/{feature}")
            while (status := self._connection.send(request, self._ops).status) != 200:
                if status != 503 or time.monotonic() > deadline:  # 503: the cache was too slow
                    raise Refused(f"DELETE /cache/{feature} was answered {status}", "200")
                time.sleep(0.05)

    def _logged(self) -> dict[str, Cost]:
        whole = self._log.read_text(errors="replace").rpartition("\n")[0]
        lines = (line for line in whole.splitlines() if f'"request_id":"{MARK}' in line)
        requests = (line for line in map(json.loads, lines) if line["event"] == "request")
        return {line["request_id"]: Cost.logged(line) for line in requests}


@contextmanager
def deployed(release: Release, plan: Load) -> Iterator[Callable[[], Service]]:
    """Deploy a release to a throw-away staging of its own and send the seeds.

    Yield what opens a connection. Raises `Refused` with its log when the deployment fails, and when
    it refuses a seed.
    """
    issuer = Issuer()
    with ExitStack() as stack:
        private = tempfile.TemporaryDirectory(prefix="measured-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(private))
        publish(folder / "issuer", issuer)
        environment = process.throwaway_staging(folder, issuer, READABLE_LOG)
        started = stack.enter_context(environment)
        steps.say(f"starting {release.build.version} with {started.rehearsed}")
        slot = deploy.deploy(started.target, release).slot
        url = stack.enter_context(started.target.reach(slot))
        secrets = releases.secret_files(release)
        ops_token = (folder / "secrets" / secrets["APP_OPS_TOKEN"]).read_text()
        headers = staging.headers(release, issuer, plan.scopes)

        def connect() -> Service:
            log, caches = folder / f"{slot}.log", "APP_CACHE_URL" in secrets
            return LocalService(Connection(url, headers), log, ops_token, caches)

        seeding = connect()
        for seed in plan.seeds:
            if (status := seeding.send(seed)) >= 400:
                found = f"the seed {seed.method} {seed.path} was answered {status}"
                raise Refused(found, "success", "correct config/slo.toml")
        seeding.close()
        yield connect


def working_tree() -> Release:
    """Return the files as they lie here."""
    return Release(Build("this-tree", "unknown"), shell.ROOT, staging.ENVIRONMENT)
