"""Staging rehearsal: the next deployment and its rollback, on a throw-away staging.

The last release goes live; under traffic this tree is deployed over it, the rollback is executed,
and a broken build is refused. build/rehearsal.json records the outcome for this tree.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import partial

from vitals.ops.deploy import clients, deploy, locks, rehearsal, smoke, staging, targets
from vitals.ops.deploy.rehearsal import Rehearsal
from vitals.ops.deploy.staging import ENVIRONMENT
from vitals.ops.deploy.targets import Target
from vitals.ops.deploy.traffic import Traffic
from vitals.ops.measure import load
from vitals.ops.measure.load import Load, Request
from vitals.ops.release.releases import Release
from vitals.ops.run import git, project_file, record, steps
from vitals.ops.run.steps import Refused, Result, Step

ENOUGH_REQUESTS = 200
WATCHED_MINUTES = 1


def find_what_a_rollback_could_not_live_with(_: Rehearsal) -> str:
    if "metadata" not in project_file.table():
        return "no database"
    from vitals.ops.check import schema

    return schema.check()


def hold_no_long_lock(about: Rehearsal) -> str:
    if "metadata" not in project_file.table():
        return "no database"
    return locks.rehearse_locks(about.before.folder, about.this.folder)


def answer_old_clients(about: Rehearsal) -> str:
    target, issuer = about.staging.target, about.staging.issuer
    return clients.compare(target, about.before, about.session, issuer)


def deploy_the_last_release(about: Rehearsal) -> None:
    deploy.deploy(about.staging.target, about.before)
    url = about.staging.proxy_url()
    smoke.wait_until_ready(url, lambda: True, about.before)
    with load.client(url, about.before) as client:
        about.session.seed(client)


def deploy_this_tree(about: Rehearsal) -> None:
    deploy.deploy(about.staging.target, about.this)


def roll_back(about: Rehearsal) -> str:
    started = time.monotonic()
    deploy.rollback(about.staging.target, ENVIRONMENT, lambda _: True)
    seconds = time.monotonic() - started
    _refuse_unless_live(about, about.before)
    return f"the traffic went back {seconds:.2f} s after the command"


def work_on_the_new_schema(about: Rehearsal) -> str:
    return smoke.check(about.staging.proxy_url(), about.before)


def refuse_a_broken_build(about: Rehearsal) -> str:
    try:
        deploy.deploy(about.staging.target, about.broken)
    except Refused:
        _refuse_unless_live(about, about.before)
        return "refused, as it must be"
    raise Refused("a broken build went live", "the smoke test to refuse it")


def take_back_what_fails_under_traffic(about: Rehearsal) -> str:
    if not about.known.routes:
        return load.NOTHING
    try:
        deploy.deploy(about.staging.target, about.failing, WATCHED_MINUTES)
    except Refused as refused:
        if deploy.live(about.staging.target)[-1].left != about.failing.build.version:
            raise
        _refuse_unless_live(about, about.before)
        return refused.found
    raise Refused("a build that fails under traffic stayed live", "the watch to take it back")


STEPS = (
    *(hold_no_long_lock, deploy_this_tree, answer_old_clients, roll_back, work_on_the_new_schema),
    *(refuse_a_broken_build, take_back_what_fails_under_traffic),
)


def rehearse(mode: str) -> int:
    """Run all steps until one fails, and record the outcome for this tree; return the exit code."""
    git.need_repository()
    tree = str(git.tree_hash())
    with rehearsal.prepared(mode, tree) as about:
        steps.say(f"rehearsing {about.before.build.version} → this tree, mode {mode}")
        steps.say(f"  with {about.staging.rehearsed}")
        results = [_run(find_what_a_rollback_could_not_live_with, about)]
        results += [_run(deploy_the_last_release, about)] if results[-1].ok else []
        connect = partial(load.client, about.staging.proxy_url(), about.this)
        target, logged = about.staging.target, dict[str, str]()
        with Traffic(connect, _requests(about.known), about.session) as traffic:
            for step in STEPS:
                results += [_run(step, about)] if results[-1].ok else []
                logged |= _logged(target, traffic.failed)  # a slot's next start ends its log
            traffic.wait_for(ENOUGH_REQUESTS)
        logged |= _logged(target, traffic.failed)
    sent, failures = len(traffic.outcomes) - traffic.planted, traffic.failures()
    steps.say(f"\n{sent} requests meanwhile, {failures.total()} failed {dict(failures) or ''}")
    if traffic.planted:
        steps.say(f"{traffic.planted} more failed by the fault that was planted")
    for name, failure in traffic.failed.items():
        steps.say(f"  {failure}, request {name}\n{logged.get(name, 'not in the log')}")
    steps.say(f"not rehearsed: {about.staging.not_rehearsed}")
    ok = all(each.ok for each in results) and not failures and sent >= ENOUGH_REQUESTS
    more = {"from": about.before.build.version, "requests": sent, "failed": failures.total()}
    record.write("rehearsal", tree, ok, mode, results, **more)
    steps.say("the rehearsal passed" if ok else "the rehearsal FAILED")
    return 0 if ok else 1


def chosen_mode() -> str:
    """Return the mode that MODE names, or else the one that a release demands."""
    mode = os.environ.get("MODE") or staging.demanded_mode()
    if mode not in (modes := targets.rehearsable()):
        raise Refused(f"MODE={mode}", " or ".join(modes), "`make rehearse MODE=process`")
    return mode


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


def _run(step: Callable[[Rehearsal], str | None], about: Rehearsal) -> Result:
    name = step.__name__.replace("_", " ")
    steps.say(f"\n{name}")
    result = steps.run_one(Step(name, partial(step, about)))
    steps.say(f"  {'ok' if result.ok else 'FAILED'}  {result.seconds:.1f} s  {result.detail}")
    if result.output:
        steps.say(result.output)
    return result


def _refuse_unless_live(about: Rehearsal, release: Release) -> None:
    live = deploy.live(about.staging.target)[-1].version
    if live != release.build.version:
        raise Refused(f"{live} is live", release.build.version)
    smoke.check(about.staging.proxy_url(), release)


if __name__ == "__main__":
    steps.exit_with(lambda: rehearse(chosen_mode()))
