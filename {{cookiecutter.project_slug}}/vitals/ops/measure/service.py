"""Services that are measured: deployed here as they ship, on a throw-away staging.

The cost of a request is what the service's own access log says: its histograms are too coarse for a
change of 5 %.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from vitals.ops.deploy import deploy, staging
from vitals.ops.measure import load
from vitals.ops.measure.load import Load, Request
from vitals.ops.measure.session import Session
from vitals.ops.measure.vitals import RequestCost
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

MARK = "measured-"
WAIT_SECONDS = 10  # for the log, and for the cache to be cleared
READABLE_LOG = {"APP_LOG_LEVEL": "info", "APP_LOG_FORMAT": "json"}


class Service:
    """A service whose log can be read and whose cache can be cleared; one request at a time."""

    def __init__(
        self, client: httpx.Client, log: Path, ops_token: str, caches: bool, session: Session
    ) -> None:
        self.caches = caches
        self._client, self._session = client, session
        self._log = log
        self._ops = {"Authorization": f"Bearer {ops_token}"}
        self._measured: list[str] = []

    def send(self, request: Request, headers: dict[str, str] | None = None) -> int:
        """Send a request that is not measured; return the status. Raises `Refused` without one."""
        try:
            return self._session.send(self._client, request, headers).status_code
        except httpx.TransportError as error:
            found = f"no answer to {request.method} {request.path}: {error!r}"
            raise Refused(found, "an answer", "read the log of the service") from error

    def measure(self, request: Request) -> str:
        self._measured.append(name := f"{MARK}{secrets.token_hex(8)}")
        self.send(request, {"X-Request-ID": name})
        return name

    def costs(self) -> dict[str, RequestCost]:
        """Return what each measured request cost so far, by its ID.

        Raises `Refused` when the log does not have all of them within 10 s.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while missing := self._measured - (found := self._logged()).keys():
            if time.monotonic() > deadline:
                found = f"{len(missing)} requests are not in the service's log"
                raise Refused(found, "a line each")
            time.sleep(0.05)
        return found

    def clear_cache(self, features: Sequence[str]) -> None:
        """Clear the cache of these features and nothing else, where there is a cache."""
        deadline = time.monotonic() + WAIT_SECONDS
        for feature in features if self.caches else ():
            request = Request("DELETE", f"/cache/{feature}", anonymous=True)
            while (status := self.send(request, self._ops)) not in (200, 404):  # 404: has none
                if status != 503 or time.monotonic() > deadline:  # 503: the cache was too slow
                    raise Refused(f"DELETE /cache/{feature} was answered {status}", "200")
                time.sleep(0.05)

    def _logged(self) -> dict[str, RequestCost]:
        whole = self._log.read_text(errors="replace").rpartition("\n")[0]
        lines = (line for line in whole.splitlines() if f'"request_id":"{MARK}' in line)
        requests = (line for line in map(json.loads, lines) if line["event"] == "request")
        names = RequestCost._fields
        return {line["request_id"]: RequestCost(*(line[n] for n in names)) for line in requests}


@contextmanager
def deployed(release: Release, plan: Load) -> Iterator[Callable[[], Service]]:
    """Deploy a release to a throw-away staging of its own and send the seeds.

    Yield a function that opens a connection. Raises `Refused` with its log when the deployment
    fails, and when it refuses a seed.
    """
    with staging.start("process", **READABLE_LOG) as started, ExitStack() as stack:
        steps.say(f"starting {release.build.version} with {started.rehearsed}")
        slot = deploy.deploy(started.target, release).slot
        url = stack.enter_context(started.target.reach(slot))
        files = releases.secret_files(release)
        ops_token = started.target.token(files["APP_OPS_TOKEN"])
        session = Session(plan, started.issuer.token(plan.scopes, minutes=60))
        session.seed(stack.enter_context(load.client(url, release)))

        def connect() -> Service:
            log, caches = started.folder / f"{slot}.log", "APP_CACHE_URL" in files
            client = stack.enter_context(load.client(url, release))
            return Service(client, log, ops_token, caches, session)

        yield connect


def working_tree() -> Release:
    return Release(Build("this-tree", "unknown"), shell.ROOT, staging.ENVIRONMENT)
