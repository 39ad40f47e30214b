"""Checks, their findings, and the findings that were accepted for a time.

A check is a function that looks at the evidence and yields a text for each thing that is wrong;
the first line of its docstring is its title. `@check(...)` adds it to `CHECKS`.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from vitals.ops.check.security.gather import Evidence

Look = Callable[[Evidence], Iterable[str]]
FIELDS = ("id", "owner", "reason", "until")


class Check(NamedTuple):
    id: str
    title: str
    look: Look
    expected: str
    fix: str
    reference: str


class Accepted(NamedTuple):
    id: str
    owner: str
    reason: str
    until: dt.date


CHECKS: list[Check] = []


def check(id_: str, expected: str, fix: str, reference: str) -> Callable[[Look], Look]:
    """Add the function below to the checks."""

    def add(look: Look) -> Look:
        title = (look.__doc__ or "").split("\n")[0]
        CHECKS.append(Check(id_, title, look, expected, fix, reference))
        return look

    return add


def findings(checks: Iterable[Check], seen: Evidence) -> list[str]:
    """Run the checks; a line for each thing that is wrong, safe to print on a terminal."""
    return [
        _printable(f"{c.id} {found}; expected {c.expected}. Fix: {c.fix} ({c.reference})")
        for c in checks
        for found in dict.fromkeys(c.look(seen))
    ]


def accepted(file: Path) -> list[Accepted]:
    """The accepted findings. Raises ValueError if an entry is incomplete."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    for entry in entries:
        if set(entry) != set(FIELDS) or not isinstance(entry["until"], dt.date):
            raise ValueError(f"{file.name}: each entry needs {', '.join(FIELDS)}; until is a date")
    return [Accepted(**entry) for entry in entries]


def without_accepted(found: list[str], exceptions: list[Accepted], today: dt.date) -> list[str]:
    """The findings that are left, and one for each exception that expired or is not needed."""
    valid = {each.id for each in exceptions if each.until >= today}
    left = [line for line in found if line.partition(" ")[0] not in valid]
    for each in exceptions:
        if each.until < today:
            accepted = f"SEC-001 {each.id} was accepted until {each.until} by {each.owner}"
            left.append(f"{accepted}; expected a later day. Fix: fix it or renew the exception")
        elif not any(line.startswith(f"{each.id} ") for line in found):
            left.append(f"SEC-002 {each.id} is accepted but not found. Fix: remove the exception")
    return left


def _printable(text: str) -> str:
    """The text without control characters, which a file's name or an answer may hold."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
