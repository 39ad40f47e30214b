"""Staging rehearsal: the next deployment and its rollback, on a throw-away staging.

The last release goes live; under traffic this tree is deployed over it, the rollback is executed,
and a broken build is refused. build/rehearsal.json records the outcome for this tree.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from vitals.ops.deploy import deploy, smoke, staging, targets
from vitals.ops.deploy.clients import answer_old_clients
from vitals.ops.deploy.locks import hold_no_long_lock
from vitals.ops.deploy.staging import ENVIRONMENT, ThrowawayStaging
from vitals.ops.deploy.targets import Target
from vitals.ops.deploy.traffic import Traffic
from vitals.ops.measure import load
from vitals.ops.measure.load import Load, Request
from vitals.ops.measure.session import Session
from vitals.ops.project.token import Issuer
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import git, project_file, record, steps
from vitals.ops.run.steps import Refused, Result, Step

ENOUGH_REQUESTS = 200
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
    issuer: Issuer


def deploy_the_last_release(rehearsal: Rehearsal) -> None:
    deploy.deploy(rehearsal.staging.target, rehearsal.before)
    url = rehearsal.staging.proxy_url()
    smoke.wait_until_ready(url, lambda: True, rehearsal.before)
    with load.client(url, rehearsal.before) as client:
        rehearsal.session.seed(client)


def deploy_this_tree(rehearsal: Rehearsal) -> None:
    deploy.deploy(rehearsal.staging.target, rehearsal.this)


def roll_back(rehearsal: Rehearsal) -> str:
    started = time.monotonic()
    deploy.rollback(rehearsal.staging.target, ENVIRONMENT, lambda _: True)
    seconds = time.monotonic() - started
    _refuse_unless_live(rehearsal, rehearsal.before)
    return f"the traffic went back {seconds:.2f} s after the command"


def work_on_the_new_schema(rehearsal: Rehearsal) -> str:
    return smoke.check(rehearsal.staging.proxy_url(), rehearsal.before)


def refuse_a_broken_build(rehearsal: Rehearsal) -> str:
    try:
        deploy.deploy(rehearsal.staging.target, rehearsal.broken)
    except Refused:
        _refuse_unless_live(rehearsal, rehearsal.before)
        return "refused, as it must be"
    raise Refused("a broken build went live", "the smoke test to refuse it")


STEPS = (hold_no_long_lock, deploy_this_tree, answer_old_clients, roll_back)
STEPS += (work_on_the_new_schema, refuse_a_broken_build)


def rehearse(mode: str) -> int:
    """Run all steps until one fails, and record the outcome for this tree; return the exit code."""
    tree = git.tree_hash()
    if tree is None:
        raise git.no_repository()
    with _prepared(mode, tree) as rehearsal:
        steps.say(f"rehearsing {rehearsal.before.build.version} → this tree, mode {mode}")
        steps.say(f"  with {rehearsal.staging.rehearsed}")
        results = [_run(deploy_the_last_release, rehearsal)]
        connect = partial(load.client, rehearsal.staging.proxy_url(), rehearsal.this)
        target, logged = rehearsal.staging.target, dict[str, str]()
        with Traffic(connect, _requests(rehearsal.known), rehearsal.session) as traffic:
            for step in STEPS:
                results += [_run(step, rehearsal)] if results[-1].ok else []
                logged |= _logged(target, traffic.failed)  # a slot's next start ends its log
            traffic.wait_for(ENOUGH_REQUESTS)
        logged |= _logged(target, traffic.failed)
    sent, failures = len(traffic.outcomes), traffic.failures()
    steps.say(f"\n{sent} requests meanwhile, {failures.total()} failed {dict(failures) or ''}")
    for name, failure in traffic.failed.items():
        steps.say(f"  {failure}, request {name}\n{logged.get(name, 'not in the log')}")
    steps.say(f"not rehearsed: {rehearsal.staging.not_rehearsed}")
    ok = all(each.ok for each in results) and not failures and sent >= ENOUGH_REQUESTS
    more = {"from": rehearsal.before.build.version, "requests": sent, "failed": failures.total()}
    record.write("rehearsal", tree, ok, mode, results, **more)
    steps.say("the rehearsal passed" if ok else "the rehearsal FAILED")
    return 0 if ok else 1


def chosen_mode() -> str:
    """Return the mode that MODE names, or else the one that a release demands."""
    mode = os.environ.get("MODE") or staging.demanded_mode()
    if mode not in (modes := targets.rehearsable()):
        raise Refused(f"MODE={mode}", " or ".join(modes), "`make rehearse MODE=process`")
    return mode


@contextmanager
def _prepared(mode: str, tree: str) -> Iterator[Rehearsal]:
    """Prepare all that a rehearsal needs, in folders that are deleted with it."""
    issuer = Issuer()
    with ExitStack() as stack:
        private = tempfile.TemporaryDirectory(prefix="rehearsal-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(private))
        this = Release(Build("this-tree", tree), folder / "this", ENVIRONMENT)
        git.unpack(tree, this.folder)
        broken = Release(Build("broken", tree), folder / "broken", ENVIRONMENT)
        shutil.copytree(this.folder, broken.folder)
        name = str(project_file.table().get("application", "app.main:create_app"))
        module, _, factory = name.partition(":")
        with (broken.folder / f"{module.replace('.', '/')}.py").open("a") as source:
            source.write(FAULT.replace("create_app", factory))
        started = stack.enter_context(staging.start(mode, folder, issuer))
        known = _known(before := _last_release(tree), this)
        session = Session(known, issuer.token(known.scopes, minutes=60))
        yield Rehearsal(started, before, this, broken, known, session, issuer)


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


def _requests(known: Load) -> list[Request]:
    """Return a read and a write; without any, a probe."""
    found = [*(route.request for route in known.routes[:1]), *known.seeds[:1]]
    if not found:
        steps.say(f"  {load.NOTHING} that both know; the traffic asks /livez")
    return found or [Request("GET", "/livez", anonymous=True)]


def _logged(target: Target, failed: Mapping[str, str]) -> dict[str, str]:
    """Return the lines that the service wrote about requests, by their IDs."""
    logs = ((name, target.log(slot, name)) for name in list(failed) for slot in target.slots)
    return {name: lines for name, lines in logs if lines}


def _run(step: Callable[[Rehearsal], str | None], rehearsal: Rehearsal) -> Result:
    name = step.__name__.replace("_", " ")
    steps.say(f"\n{name}")
    result = steps.run_one(Step(name, partial(step, rehearsal)))
    steps.say(f"  {'ok' if result.ok else 'FAILED'}  {result.seconds:.1f} s  {result.detail}")
    if result.output:
        steps.say(result.output)
    return result


def _refuse_unless_live(rehearsal: Rehearsal, release: Release) -> None:
    live = deploy.live(rehearsal.staging.target)[-1].version
    if live != release.build.version:
        raise Refused(f"{live} is live", release.build.version)
    smoke.check(rehearsal.staging.proxy_url(), release)


if __name__ == "__main__":
    steps.exit_with(lambda: rehearse(chosen_mode()))
