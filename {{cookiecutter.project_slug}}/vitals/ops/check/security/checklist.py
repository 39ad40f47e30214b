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


class Finding(NamedTuple):
    id: str
    line: str


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


def findings(checks: Iterable[Check], seen: Evidence) -> list[Finding]:
    """Run the checks; a line for each thing that is wrong, safe to print on a terminal."""
    return [
        Finding(
            check.id, _printable(f"{check.id} {found}; expected {check.expected}. {_end(check)}")
        )
        for check in checks
        for found in dict.fromkeys(check.look(seen))
    ]


def accepted(file: Path) -> list[Accepted]:
    """The accepted findings. Raises ValueError if an entry is incomplete."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    for entry in entries:
        if set(entry) != set(FIELDS) or not isinstance(entry["until"], dt.date):
            raise ValueError(f"{file.name}: each entry needs {', '.join(FIELDS)}; until is a date")
    return [Accepted(**entry) for entry in entries]


def without_accepted(
    found: list[Finding], exceptions: list[Accepted], today: dt.date
) -> list[Finding]:
    """The findings that are left, and one for each exception that expired or is not needed."""
    valid = {each.id for each in exceptions if each.until >= today}
    left = [finding for finding in found if finding.id not in valid]
    for each in exceptions:
        if each.until < today:
            line = f"SEC-001 {each.id} was accepted until {each.until} by {each.owner}"
            fix = "fix the finding or renew the exception"
            left.append(Finding("SEC-001", f"{line}; expected a date to come. Fix: {fix}"))
        elif each.id not in {finding.id for finding in found}:
            line = f"SEC-002 {each.id} is accepted, but there is no such finding"
            left.append(Finding("SEC-002", f"{line}. Fix: remove the exception"))
    return left


def _end(check: Check) -> str:
    return f"Fix: {check.fix} ({check.reference})"


def _printable(text: str) -> str:
    """The text without control characters, which a file's name or an answer may hold."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
