"""What a rehearsal needs: a throw-away staging, two builds, a broken one, and what both can do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from vitals.ops.deploy import staging
from vitals.ops.deploy.staging import ENVIRONMENT, ThrowawayStaging
from vitals.ops.deploy.traffic import PLANTED_STATUS
from vitals.ops.measure import load
from vitals.ops.measure.load import Load
from vitals.ops.measure.session import Session
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import project_file

# Ready and healthy, and yet defective from a request on: the first one, which only the smoke test
# notices, or a later one, which only the watch does.
FAULT = """

def create_app(settings, whole=create_app):
    from starlette.responses import Response
    requests = []

    async def broken(request, call_next):
        answer = await call_next(request)
        if request.url.path in ("/livez", "/readyz", "/health", "/metrics"):
            return answer
        requests.append(1)
        return answer if len(requests) <= AFTER else Response("a planted fault", STATUS)

    service = whole(settings)
    service.middleware("http")(broken)
    return service
"""
SMOKE_TEST_REQUESTS = 20  # more than it sends


class Rehearsal(NamedTuple):
    staging: ThrowawayStaging
    before: Release
    this: Release
    broken: Release
    failing: Release  # passes the smoke test
    known: Load  # what both can be sent
    session: Session


@contextmanager
def prepared(mode: str, tree: str) -> Iterator[Rehearsal]:
    with staging.start(mode) as started:
        this = Release(Build("this-tree", tree), started.folder / "this", ENVIRONMENT)
        releases.unpack(tree, this.folder)
        broken = _with_fault(this, "broken", 0)
        failing = _with_fault(this, "failing", SMOKE_TEST_REQUESTS)
        known = _known(before := _last_release(tree), this)
        session = Session(known, started.issuer.token(known.scopes, minutes=60))
        yield Rehearsal(started, before, this, broken, failing, known, session)


def _with_fault(this: Release, version: str, after: int) -> Release:
    """Return a copy of a build that fails after so many requests."""
    folder = this.folder.with_name(version)
    shutil.copytree(this.folder, folder)
    name = str(project_file.table().get("application", "app.main:create_app"))
    module, _, factory = name.partition(":")
    fault = FAULT.replace("create_app", factory).replace("AFTER", str(after))
    with (folder / f"{module.replace('.', '/')}.py").open("a") as source:
        source.write(fault.replace("STATUS", str(PLANTED_STATUS)))
    return Release(Build(version, this.build.commit), folder, ENVIRONMENT)


def _last_release(tree: str) -> Release:
    """Return the newest version in this history; before the first, this tree once more."""
    if version := releases.last_version():
        return releases.of(version, ENVIRONMENT)
    return releases.unpacked(Build("before-the-first", tree), ENVIRONMENT)


def _known(before: Release, this: Release) -> Load:
    """Return the load that both builds know, with the log-in of the first."""
    old, new = load.read(before.folder), load.read(this.folder)
    requests = [route.request for route in old.routes]
    routes = [route for route in new.routes if route.request in requests]
    return Load([s for s in new.seeds if s in old.seeds], routes, new.scopes, old.login)
