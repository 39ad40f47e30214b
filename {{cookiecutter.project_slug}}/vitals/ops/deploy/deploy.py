"""Deployments and rollbacks: the same steps for every kind of target.

ENV names the environment and VERSION the released tag; `vitals.ops.deploy.targets` has the targets.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from vitals.ops.deploy import backup, chosen, history, smoke, targets, watch
from vitals.ops.deploy.history import Entry
from vitals.ops.deploy.targets import Target
from vitals.ops.env_files import ENVIRONMENTS
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import steps
from vitals.ops.run.steps import Refused, Step

Save = Callable[[Release], str]


def deploy(target: Target, release: Release, minutes: float = 0, save: Save | None = None) -> Entry:
    """Start the release beside the live one, test it, switch, and watch it so many minutes.

    `save` makes a backup before new migrations; a throw-away environment has nothing to save.
    What was live keeps running. A release that is live already, and works, is left as it is, and
    its open watch goes on. Raises `Refused` at the first step that fails: what was live stays live,
    or is live again, and the same command is safe to repeat. Ctrl-C is safe as well. While it is
    watched, a rollback by hand is possible.
    """
    with target.alone():
        entry = _deployed(target, release, minutes, save)
        target.tidy(targets.entries(target))
    go_back = partial(rollback, target, release.environment, lambda _: True)
    return watch.to_its_end(target, release, go_back) if entry.is_open else entry


def _deployed(target: Target, release: Release, minutes: float, save: Save | None) -> Entry:
    target.open(release)
    entries = targets.entries(target)
    if release.build.version in history.bad(entries):
        found = f"{release.build.version} is marked bad: a rollback left it"
        lift = f"`make live ENV={release.environment} LIFT={release.build.version}` lifts the mark"
        raise Refused(found, fix=f"release the repair as a new version; {lift}")
    live = [e for e in entries[-1:] if (e.version, e.commit) == release.build]
    watched = bool(live and live[0].is_open)
    if watched or (live and smoke.is_warm(target, release, live[0].slot)):
        steps.say(f"{release.build.version} is live already: nothing was started")
    else:
        watch.refuse_open(entries, release.environment)
        watched = bool(minutes and entries and not live)
        idle = _idle(target, entries)
        entries.append(Entry("deploy", *release.build, idle, image=release.image))
        begin = [Step("baseline", partial(watch.begin, target, release, entries, minutes))]
        migration = _migration(target, release, entries[:-1], save)
        _go_live(target, release, entries, migration, begin * watched)
    return entries[-1]


def rollback(
    target: Target, environment: str, confirmed: Callable[[str], bool], reason: str = ""
) -> Entry:
    """Go back to the previous good version and mark the one that is left as bad.

    Raises `Refused` when there is none, when it isn't confirmed, or when it doesn't pass its smoke
    test; what is live stays live then.
    """
    entries = targets.entries(target)
    goal = history.previous_good(entries)
    left, slot = entries[-1].version, _idle(target, entries)
    if not confirmed(f"{environment}: go back from {left} to {goal.version}, and mark {left} bad?"):
        raise Refused("not confirmed", fix="nothing was changed; safe to repeat")
    release = targets.release(target, goal, environment)
    more = {"left": left, "reason": reason or os.environ.get("REASON", ""), "image": goal.image}
    entries.append(Entry("rollback", *release.build, slot, **more))
    if goal.slot == slot and smoke.is_warm(target, release, slot):
        _in_turn(_switch(target, entries))
    else:
        _go_live(target, release, entries)
    return entries[-1]


def live(target: Target) -> list[Entry]:
    """Return the history; the last entry is live. Raises `Refused` if nothing is."""
    if entries := targets.entries(target):
        return entries
    raise Refused("nothing is live", fix="`make deploy ENV=staging VERSION=v1.2.0`")


def lift(target: Target, version: str) -> None:
    """Take the bad mark from a version. Raises `Refused` where it has none."""
    *_, last = entries = live(target)
    if version not in (marked := history.bad(entries)):
        found = f"LIFT={version}: not marked bad"
        raise Refused(found, f"one of {', '.join(sorted(marked)) or 'none: no version is'}")
    more = {"lifted": version, "image": last.image, "watch": last.watch}
    entries.append(Entry("lift", last.version, last.commit, last.slot, **more))
    target.switch(last.slot, history.written(entries))


def _idle(target: Target, entries: list[Entry]) -> str:
    first, second = target.slots
    return second if entries and entries[-1].slot == first else first


def _migration(
    target: Target, release: Release, entries: list[Entry], save: Save | None
) -> list[Step]:
    """Return what brings the schema forward, with a backup before it where that changes it."""
    if not (release.folder / "migrations").is_dir():
        return []
    before = targets.release(target, entries[-1], release.environment).folder if entries else Path()
    new = releases.migrations(release.folder) - releases.migrations(before)
    saved = [Step("backup", partial(save, release))] if save and new and entries else []
    return [*saved, Step("migrate", partial(target.migrate, release))]


def _go_live(
    target: Target,
    release: Release,
    entries: list[Entry],
    before_start: Sequence[Step] = (),
    before_switch: Sequence[Step] = (),
) -> None:
    """Start the release in the last entry's slot, test it and switch to it; if not, stop it."""
    slot, started = entries[-1].slot, list[str]()

    def start() -> None:
        started.append(slot)
        target.start(release, slot)

    try:
        _in_turn(
            Step("prepare", partial(target.prepare, release)),
            *before_start,
            Step("start", start),
            Step("ready", partial(smoke.slot_ready, target, release, slot)),
            Step("smoke", partial(smoke.check_slot, target, release, slot)),
            *before_switch,
            _switch(target, entries),
        )
    except BaseException:
        steps.interrupted.clear()  # what ends here must be waited for
        if started and target.state()[0] != slot:
            target.stop(slot)
        raise


def _switch(target: Target, entries: list[Entry]) -> Step:
    return Step("switch", lambda: target.switch(entries[-1].slot, history.written(entries)))


def _in_turn(*todo: Step) -> None:
    width = max(len(step.name) for step in todo)
    for step in todo:
        if not steps.report([step], width=width)[0].ok:
            found = f"stopped at {step.name}: what was live is still live"
            raise Refused(found, fix="repair it; the same command is safe to repeat")


def given_environment(verb: str) -> str:
    """Return ENV. Raises `Refused` where it is none."""
    if (environment := os.environ.get("ENV", "")) in ENVIRONMENTS:
        return environment
    found = f"ENV={environment}" if environment else "no ENV"
    raise Refused(found, " or ".join(ENVIRONMENTS), f"`make {verb} ENV=staging`")


def main() -> None:
    environment = given_environment(verb := sys.argv[1])
    target, unasked = targets.of_project(environment), bool(os.environ.get("YES"))
    lifted = os.environ.get("LIFT", "")
    if verb == "live" and not lifted:
        steps.say("\n".join(map(str, live(target))))
        return
    if verb == "deploy":
        with target.alone():
            release = chosen.release(target, environment)
        entry = deploy(target, release, watch.minutes(release), backup.run)
    else:
        with target.alone():
            if verb == "live":
                lift(target, lifted)
            else:
                rollback(target, environment, lambda q: unasked or steps.ask(q))
            target.tidy(live(target))
        entry = live(target)[-1]
    steps.say(f"{environment}: {entry}\nto go back: `make rollback ENV={environment}`")


if __name__ == "__main__":
    steps.exit_with(main)
