"""Deployment history of an environment: what went live, by whom and when. The target stores it.

An entry is written before its switch, and every switch goes to the other slot. So an entry whose
slot is not the live one belongs to a switch that never happened.
"""

import getpass
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from vitals.ops.run.steps import Refused

KEPT = 50


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def user() -> str:
    """Return who we are; a container's user may have no name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


@dataclass(frozen=True, config=ConfigDict(extra="allow"))  # what a newer engine wrote stays
class Entry:
    what: str
    version: str
    commit: str
    slot: str
    who: str = field(default_factory=user)
    at: str = field(default_factory=now)
    left: str = ""  # the version that a rollback marked bad
    lifted: str = ""  # the version whose mark was taken away
    reason: str = ""
    image: str = ""  # by digest; nothing where the host built it
    watch: Mapping[str, object] = field(default_factory=dict)  # while open: what it needs

    @property
    def is_open(self) -> bool:
        """Whether its watch has neither ended nor been given up."""
        return "ends" in self.watch

    def __str__(self) -> str:
        cut = "" if self.watch.get("complete", not self.watch) else ", not watched to its end"
        left = f", {self.left} is marked bad" if self.left else ""
        lifted = f", {self.lifted} is no longer marked bad" if self.lifted else ""
        why = f": {self.reason}" if self.reason else ""
        image = f"  {self.image}" if self.image else ""
        return (
            f"{self.at}  {self.version}  {self.what} by {self.who}{cut}{left}{lifted}{why}{image}"
        )


def with_watch(entry: Entry, **watch: object) -> Entry:
    changed: dict[str, Any] = {**vars(entry), "watch": watch}
    return Entry(**changed)


def read(text: str, live_slot: str) -> list[Entry]:
    """Return the entries up to the one that is live, the oldest first."""
    entries = [Entry(**found) for found in json.loads(text or "[]")]
    while entries and entries[-1].slot != live_slot:
        entries.pop()
    return entries


def written(entries: Sequence[Entry]) -> str:
    """Return the text that `read` reads, with the newest entries only.

    A watch is open no longer once something else went live.
    """
    ended = [with_watch(e, complete=False) if e.is_open else e for e in entries[-KEPT:-1]]
    return json.dumps([vars(each) for each in (*ended, *entries[-1:])])


def bad(entries: Sequence[Entry]) -> set[str]:
    """Return the versions that a rollback left and whose mark was not lifted since."""
    marked: set[str] = set()
    for each in entries:
        marked = (marked | {each.left}) - {each.lifted, ""}
    return marked


def lasting(entries: Sequence[Entry], number: int = 3) -> list[Entry]:
    """Return the last entry of each of the newest versions: live, warm and one more."""
    newest = {each.version: each for each in entries}  # in the order of their last entries
    order = dict.fromkeys(each.version for each in reversed(entries))
    return [newest[version] for version in list(order)[:number]]


def previous_good(entries: Sequence[Entry]) -> Entry:
    """Return the entry to go back to: the last of another version that is not marked bad.

    Raises `Refused` when there is none.
    """
    if not entries:
        raise Refused("nothing is live", "a version to roll back from", "`make deploy`")
    live, marked = entries[-1].version, bad(entries)
    for each in reversed(entries):
        if each.version != live and each.version not in marked:
            return each
    found = f"{live} is the only good version that was live here"
    raise Refused(found, "an earlier one", "release the repair as a new version and deploy it")
