"""Watched switch: judges a new version under real traffic while the old one is kept warm.

What a watch needs lies in the history's last entry from before the switch, so that the same command
goes on with it after a crash. `watch_rule` says what is worse.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pydantic import TypeAdapter

from vitals.ops import slo
from vitals.ops.deploy import history, samples, targets, watch_read
from vitals.ops.deploy.history import Entry
from vitals.ops.deploy.samples import Sample
from vitals.ops.deploy.targets import Target
from vitals.ops.deploy.watch_looks import Seen, Watched
from vitals.ops.deploy.watch_progress import Progress
from vitals.ops.deploy.watch_read import Watch
from vitals.ops.deploy.watch_rule import LOOK_SECONDS, WINDOW_SECONDS
from vitals.ops.release.releases import Release
from vitals.ops.run import interrupts, shell, steps
from vitals.ops.run.steps import Refused

MINUTES = 10  # without [watch] in config/slo.toml
MOST_ROUTES = 150  # of a baseline: it goes through a command's argument of at most 128 KiB


class Worse(Refused):
    """The new version is worse; `found` is the sentence with the numbers."""


def minutes(release: Release) -> float:
    """Return for how long to watch: WATCH, or the release's [watch] minutes. 0 is not at all."""
    of_release = slo.table(release.folder).get("watch", {}).get("minutes", MINUTES)
    given = os.environ.get("WATCH") or of_release
    with suppress(ValueError, TypeError):
        if 0 <= (found := float(given)) < float("inf"):
            return found
    raise Refused(f"WATCH={given}", "minutes; 0 for none", "or [watch] minutes of config/slo.toml")


def refuse_open(entries: Sequence[Entry], environment: str) -> None:
    """Raise `Refused` while the live version is being watched, unless SUPERSEDE=1 ends that."""
    if entries and entries[-1].is_open and os.environ.get("SUPERSEDE") != "1":
        version = entries[-1].version
        found = f"{version} is live and not watched to its end: another start would end the old one"
        finish = f"`make deploy ENV={environment} VERSION={version}` goes on with it"
        raise Refused(found, fix=f"{finish}; SUPERSEDE=1 leaves {version} unwatched")


def begin(target: Target, release: Release, entries: list[Entry], minutes: float) -> str:
    """Put into the last entry what its watch needs, read just before the switch.

    Raises `Refused` when the new version's /metrics can't be read. An old version's that can't be
    read counts as one without requests: what replaces a broken version must not wait for it.
    """
    watch = _of(target, release, entries)
    new = watch_read.seen(target, watch.slot, release)
    if not new or not all(each.sample for each in new.values()):
        found = f"/metrics of {', '.join(new) or watch.slot} can't be read with {watch_read.TOKEN}"
        raise Refused(found, fix="correct the token's secret there; WATCH=0 deploys unwatched")
    seen_old = dict[str, Seen]()
    with suppress(Refused):
        seen_old = watch_read.seen(target, watch.old_slot, watch.old)
    old = samples.merged(each.sample for each in seen_old.values() if each.sample)
    busiest = sorted(old.routes.items(), key=lambda each: -each[1]["requests"])[:MOST_ROUTES]
    old = old._replace(routes=dict(busiest))
    started = {name: each.sample.started for name, each in new.items() if each.sample}
    now = time.time()
    record = {"began": now, "ends": now + 60 * minutes, "started": started, "old": old._asdict()}
    entries[-1] = history.with_watch(entries[-1], **record)
    requests = sum(counts["requests"] for counts in old.routes.values())
    return f"{requests:,} requests of {watch.old.build.version}"


def to_its_end(target: Target, release: Release, go_back: Callable[[str], Entry]) -> Entry:
    """Watch the live release; return its entry when it was good to the end, or left as it is.

    Raises `Refused` when it is worse than the one before it, which is live again then.
    """
    with _outliving_the_terminal():
        entries, worse = targets.entries(target), ""
        watch, entry, complete = _of(target, release, entries), entries[-1], False
        try:
            with interrupts.terminal_alone():
                complete = _watched(watch, entry)
        except Worse as found:
            worse = found.found
        with target.alone():
            *_, now = entries = targets.entries(target)
            if (now.version, now.slot) != (entry.version, entry.slot):
                raise Refused(f"{now.version} was made live meanwhile: the watch has ended")
            if worse:
                raise _gone_back(target, release, worse, go_back)
            entries[-1] = history.with_watch(now, complete=complete)
            target.switch(entry.slot, history.written(entries))
            target.tidy(entries)
            return entries[-1]


def _gone_back(
    target: Target, release: Release, found: str, go_back: Callable[[str], Entry]
) -> Refused:
    version, again = release.build.version, f"`make rollback ENV={release.environment}`"
    try:
        back = go_back(found)
        target.tidy(targets.entries(target))
    except Refused as failed:
        return Refused(
            f"{version} is worse: {found}. {failed.found}", fix=again, output=str(failed)
        )
    fix = "release the repair as a new version"
    return Refused(f"{version} went back to {back.version}, and is marked bad: {found}", fix=fix)


def _of(target: Target, release: Release, entries: Sequence[Entry]) -> Watch:
    new = entries[-1]
    old = next(each for each in reversed(entries) if each.slot != new.slot)
    before = targets.release(target, old, release.environment)
    return Watch(target, release, before, new.slot, old.slot)


def _watched(watch: Watch, entry: Entry) -> bool:
    """Look until the end; return whether it was reached. Raises `Worse`.

    It is not where somebody else switched meanwhile, or Ctrl-C left the version as it is.
    """
    record: dict[str, Any] = dict(entry.watch)
    before = TypeAdapter(Sample).validate_python(record["old"])
    watched = Watched(before, watch_read.rows(watch.new), record["started"])
    ends = max(record["ends"], time.time() + WINDOW_SECONDS)
    progress = Progress(watch.new.build.version, ends)
    outage = False
    try:
        while watch.target.state()[0] == watch.slot:
            look = watch_read.look(watch, time.time() - record["began"], outage)
            worse = watched.add(look)
            progress.update(look, watched.counted())
            if worse:
                raise Worse(worse)
            if time.time() >= ends:
                progress.end(watched.counted())
                return True
            outage = watch_read.outage(watch, min(LOOK_SECONDS, ends - time.time()))
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
        old, new = watch.old.build.version, watch.new.build.version
        if steps.ask(f"\ngo back to {old}, and mark {new} bad? no: {new} stays, unwatched"):
            raise Worse("it was interrupted") from None
    return False


@contextmanager
def _outliving_the_terminal() -> Iterator[None]:
    """Go on without a connection: a watch that ends with it leaves a bad version live."""
    steps.unattended.set()
    try:
        with shell.handling(signal.SIGHUP, lambda *_: steps.detach()):
            yield
    finally:
        steps.unattended.clear()
