"""What is a check, and which of its findings were accepted?

A check is a function that looks at the evidence and yields a text for each thing that is wrong.
`CHECKLIST.check` takes it in, with its number and the rest of its line.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vitals.ops.check.security.evidence import Evidence

Look = Callable[[Evidence], Iterator[str]]
FIELDS = ("id", "owner", "reason", "until")


class Check(NamedTuple):
    id: str
    look: Look
    expected: str
    way_out: str
    reference: str

    @property
    def title(self) -> str:
        return (self.look.__doc__ or "").split("\n")[0]


class Finding(NamedTuple):
    id: str
    line: str


class Accepted(NamedTuple):
    id: str
    owner: str
    reason: str
    until: dt.date


class Checklist:
    """The checks of one group, in order."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def check(
        self, id_: str, expected: str, way_out: str, reference: str
    ) -> Callable[[Look], Look]:
        """Take in the function below as a check."""

        def take(look: Look) -> Look:
            self.checks.append(Check(id_, look, expected, way_out, reference))
            return look

        return take


def findings(checks: list[Check], seen: Evidence) -> list[Finding]:
    """Run all checks; a line for each thing that is wrong."""
    return [
        Finding(
            check.id,
            f"{check.id} {found}; expected {check.expected}; {check.way_out} ({check.reference})",
        )
        for check in checks
        for found in check.look(seen)
    ]


def accepted(file: Path) -> list[Accepted]:
    """The exceptions that were accepted. Raises ValueError if one of them is not whole."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    for entry in entries:
        if set(entry) != set(FIELDS) or not isinstance(entry["until"], dt.date):
            raise ValueError(f"{file.name}: each entry needs {', '.join(FIELDS)}, a date the last")
    return [Accepted(**entry) for entry in entries]


def without_accepted(
    found: list[Finding], exceptions: list[Accepted], today: dt.date
) -> list[Finding]:
    """What is left, and a finding for each exception that is expired or not needed."""
    good = [each for each in exceptions if each.until >= today]
    left = [finding for finding in found if finding.id not in {each.id for each in good}]
    for each in exceptions:
        if each.until < today:
            line = f"SEC-001 {each.id} was accepted until {each.until} by {each.owner}"
            left.append(
                Finding("SEC-001", f"{line}; expected a date to come; mend it or decide anew")
            )
        elif each.id not in {finding.id for finding in found}:
            line = f"SEC-002 {each.id} is accepted, but nothing is found"
            left.append(Finding("SEC-002", f"{line}; expected no entry without need; remove it"))
    return left
