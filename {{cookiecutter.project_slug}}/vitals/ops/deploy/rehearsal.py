"""What a rehearsal needs: a throw-away staging, two builds, a broken one, and what both can do."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from vitals.ops.deploy import staging
from vitals.ops.deploy.staging import ENVIRONMENT, ThrowawayStaging
from vitals.ops.measure import load
from vitals.ops.measure.load import Load
from vitals.ops.measure.session import Session
from vitals.ops.project.token import Issuer
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import project_file

# Ready and healthy, and yet defective: a gate that only asks the probes would let it go live.
FAULT = """

def create_app(settings, whole=create_app):
    async def broken(request, call_next):
        if request.url.path not in ("/livez", "/readyz", "/health"):
            raise RuntimeError("a fault that the rehearsal planted")
        return await call_next(request)

    service = whole(settings)
    service.middleware("http")(broken)
    return service
"""


class Rehearsal(NamedTuple):
    staging: ThrowawayStaging
    before: Release
    this: Release
    broken: Release
    known: Load  # what both can be sent
    session: Session


@contextmanager
def prepared(mode: str, tree: str) -> Iterator[Rehearsal]:
    """Prepare all that a rehearsal needs, in folders that are deleted with it."""
    issuer = Issuer()
    with ExitStack() as stack:
        private = tempfile.TemporaryDirectory(prefix="rehearsal-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(private))
        this = Release(Build("this-tree", tree), folder / "this", ENVIRONMENT)
        releases.unpack(tree, this.folder)
        broken = Release(Build("broken", tree), folder / "broken", ENVIRONMENT)
        shutil.copytree(this.folder, broken.folder)
        name = str(project_file.table().get("application", "app.main:create_app"))
        module, _, factory = name.partition(":")
        with (broken.folder / f"{module.replace('.', '/')}.py").open("a") as source:
            source.write(FAULT.replace("create_app", factory))
        started = stack.enter_context(staging.start(mode, folder, issuer))
        known = _known(before := _last_release(tree), this)
        session = Session(known, issuer.token(known.scopes, minutes=60))
        yield Rehearsal(started, before, this, broken, known, session)


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
