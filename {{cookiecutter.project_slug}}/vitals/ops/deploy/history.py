"""Deployment history of an environment: what went live, by whom and when. The target stores it.

An entry is written before its switch, and every switch goes to the other slot. So an entry whose
slot is not the live one belongs to a switch that never happened.
"""

import getpass
import json
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from vitals.ops.run.steps import Refused

KEPT = 50


class Entry(NamedTuple):
    what: str
    version: str
    commit: str
    slot: str
    who: str
    at: str
    left: str = ""  # the version that a rollback marked bad

    def __str__(self) -> str:
        left = f", {self.left} is marked bad" if self.left else ""
        return f"{self.at}  {self.version}  {self.what} by {self.who}{left}"


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def entry(what: str, version: str, commit: str, slot: str, left: str = "") -> Entry:
    """Return an entry with the time and the user."""
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Entry(what, version, commit, slot, who, now(), left)


def read(text: str, live_slot: str) -> list[Entry]:
    """Return the entries up to the one that is live, the oldest first."""
    entries = [Entry(**fields) for fields in json.loads(text or "[]")]
    while entries and entries[-1].slot != live_slot:
        entries.pop()
    return entries


def written(entries: Sequence[Entry]) -> str:
    """Return the text that `read` reads, with the newest entries only."""
    return json.dumps([each._asdict() for each in entries[-KEPT:]])


def bad(entries: Sequence[Entry]) -> set[str]:
    """Return the versions that a rollback left."""
    return {each.left for each in entries} - {""}


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
