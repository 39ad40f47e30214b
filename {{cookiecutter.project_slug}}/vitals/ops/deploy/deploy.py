"""Deployments and rollbacks: the same steps for every kind of target.

ENV names the environment and VERSION the released tag; `vitals.ops.deploy.targets` has the targets.
"""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from vitals.ops.deploy import history, smoke, targets
from vitals.ops.deploy.targets import Target
from vitals.ops.env_files import ENVIRONMENTS
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused, Step

LOCKS = shell.ROOT / "build"


def deploy(target: Target, release: Release) -> history.Entry:
    """Start the release beside the live one, test it, and switch; what was live keeps running.

    Raises `Refused` at the first step that fails: what was live stays live, and the same command
    is safe to repeat. Ctrl-C is safe as well.
    """
    target.open(release)
    entries = _entries(target)
    if release.build.version in history.bad(entries):
        found = f"{release.build.version} is marked bad: a rollback left it"
        raise Refused(found, fix="release the repair as a new version")
    entries.append(history.entry("deploy", *release.build, _idle(target, entries)))
    migrates = (release.folder / "migrations").is_dir()
    migrate = [Step("migrate", partial(target.migrate, release))] if migrates else []
    _go_live(target, release, entries, *migrate)
    return entries[-1]


def rollback(target: Target, environment: str, confirmed: Callable[[str], bool]) -> history.Entry:
    """Go back to the previous good version and mark the one that is left as bad.

    Raises `Refused` when there is none, when it isn't confirmed, or when it doesn't pass its smoke
    test; what is live stays live then.
    """
    entries = _entries(target)
    goal = history.previous_good(entries)
    left, slot = entries[-1].version, _idle(target, entries)
    build = Build(goal.version, goal.commit)
    release = releases.unpacked(build, environment)
    if not confirmed(f"{environment}: go back from {left} to {goal.version}, and mark {left} bad?"):
        raise Refused("not confirmed", fix="nothing was changed; safe to repeat")
    entries.append(history.entry("rollback", *build, slot, left))
    if goal.slot == slot and _is_warm(target, release, slot):
        _in_turn(_switch(target, entries))
    else:
        _go_live(target, release, entries)
    return entries[-1]


def live(target: Target) -> list[history.Entry]:
    """Return the history; the last entry is live. Raises `Refused` if nothing is."""
    if entries := _entries(target):
        return entries
    raise Refused("nothing is live", fix="`make deploy ENV=staging VERSION=v1.2.0`")


@contextmanager
def alone(environment: str) -> Iterator[None]:
    """Lock an environment: one command at a time changes it. The lock ends with its holder.

    Raises `Refused` with the holder's process when there is one.
    """
    LOCKS.mkdir(exist_ok=True)
    with (LOCKS / f"deploy-{environment}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            found = f"{environment} is being changed: {lock.read()}"
            raise Refused(found, fix="wait for its end, then repeat the command") from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, since {history.now()}")
        lock.flush()
        yield


def _entries(target: Target) -> list[history.Entry]:
    slot, text = target.state()
    return history.read(text, slot)


def _idle(target: Target, entries: list[history.Entry]) -> str:
    first, second = target.slots
    return second if entries and entries[-1].slot == first else first


def _go_live(target: Target, release: Release, entries: list[history.Entry], *more: Step) -> None:
    """Start the release in the last entry's slot, test it and switch to it; if not, stop it."""
    slot = entries[-1].slot
    try:
        _in_turn(
            Step("prepare", partial(target.prepare, release)),
            *more,
            Step("start", partial(target.start, release, slot)),
            Step("ready", partial(_ready, target, release, slot)),
            Step("smoke", partial(_smoke, target, release, slot)),
            _switch(target, entries),
        )
    except BaseException:
        steps.interrupted.clear()  # what ends here must be waited for
        if target.state()[0] != slot:
            target.stop(slot)
        raise


def _switch(target: Target, entries: list[history.Entry]) -> Step:
    return Step("switch", partial(target.switch, entries[-1].slot, history.written(entries)))


def _in_turn(*todo: Step) -> None:
    """Run the steps until one fails. Raises `Refused` then."""
    *_, last = steps.in_turn(todo)
    if not last.ok:
        found = f"stopped at {last.name}: what was live is still live"
        raise Refused(found, fix="repair it; the same command is safe to repeat")


def _ready(target: Target, release: Release, slot: str) -> None:
    try:
        with target.reach(slot) as url:
            smoke.wait_until_ready(url, partial(target.running, slot), release)
    except Refused as refused:
        refused.output = target.log(slot)
        raise


def _smoke(target: Target, release: Release, slot: str) -> str:
    with target.reach(slot) as url:
        return smoke.check(url, release)


def _is_warm(target: Target, release: Release, slot: str) -> bool:
    """Whether the slot still runs this very build, and it works."""
    try:
        return bool(_smoke(target, release, slot))
    except Refused:
        return False


def main() -> None:
    """Deploy, roll back or print what is live, as the command says."""
    verb, environment = sys.argv[1], os.environ.get("ENV", "")
    if environment not in ENVIRONMENTS:
        found = f"ENV={environment}" if environment else "no ENV"
        raise Refused(found, " or ".join(ENVIRONMENTS), f"`make {verb} ENV=staging`")
    target, unasked = targets.of_project(environment), bool(os.environ.get("YES"))
    if verb == "live":
        steps.say("\n".join(map(str, live(target))))
        return
    with alone(environment):
        if verb == "deploy":
            release = releases.released(os.environ.get("VERSION", ""), environment)
            entry = deploy(target, release)
        else:
            entry = rollback(target, environment, lambda q: unasked or steps.ask(q))
    steps.say(f"{environment}: {entry}\nto go back: `make rollback ENV={environment}`")


if __name__ == "__main__":
    steps.exit_with(main)
