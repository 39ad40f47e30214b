"""Checks, their findings, and the findings that were accepted for a time.

A check is a function that looks at the evidence and yields (place, what is wrong there). The place
is a file, a route or a setting, as an exception names it: no two findings of a check share one.
The first line of its docstring is its title. A check that raises fails, and its message is shown:
`Refused` says that its input can't be read. `NotRun` is neither a pass nor a failure.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vitals.ops.check.security.gather import Evidence
from vitals.ops.run.steps import Refused, printable

Findings = Iterator[tuple[str, str]]  # the place, and what is wrong there
Look = Callable[[Evidence], Findings]
FIELDS = ("id", "place", "owner", "reason", "until")
LONGEST = dt.timedelta(days=366)


class NotRun(Exception):
    """What a check needs is away for now, such as the network; the text says what."""


class Check(NamedTuple):
    id: str
    title: str
    look: Look
    expected: str
    fix: str
    reference: str


class Finding(NamedTuple):
    id: str
    place: str
    line: str


class Report(NamedTuple):
    findings: list[Finding]
    failed: dict[str, list[str]]  # why it could not be done: the ids
    not_run: dict[str, str]  # id: why


class Accepted(NamedTuple):
    id: str
    place: str
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


def run(checks: Iterable[Check], seen: Evidence) -> Report:
    """Run the checks. One that fails, or that crashes, stops none of the others."""
    report = Report([], {}, {})
    for each in checks:
        try:
            for place, text in dict.fromkeys(map(_pair, each.look(seen))):
                rest = f"{text}; expected {each.expected}. Fix: {each.fix} ({each.reference})"
                line = printable(f"{each.id} {place}: {rest}")
                report.findings.append(Finding(each.id, printable(place), line))
        except NotRun as reason:
            report.not_run[each.id] = printable(str(reason))
        except Exception as error:  # whatever a file or a tool holds
            said = f"{error}\n{error.output}" if isinstance(error, Refused) else repr(error)
            report.failed.setdefault(said.strip(), []).append(each.id)
    return report


def _pair(found: object) -> tuple[str, str]:  # until all checks yield pairs
    return found if isinstance(found, tuple) else str(found).partition(": ")[::2]


def accepted(file: Path) -> list[Accepted]:
    """The accepted findings. Raises ValueError if an entry is incomplete."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    for entry in entries:
        if set(entry) != set(FIELDS) or type(entry["until"]) is not dt.date:
            raise ValueError(f"{file.name}: each entry needs {', '.join(FIELDS)}; until is a date")
    return [Accepted(**entry) for entry in entries]


def left(report: Report, exceptions: Sequence[Accepted], today: dt.date) -> Iterator[str]:
    """The findings that nobody accepted, and the exceptions that are not valid or not needed."""
    valid = {(e.id, e.place) for e in exceptions if today <= e.until <= today + LONGEST}
    found = {(finding.id, finding.place) for finding in report.findings}
    not_done = {*report.not_run, *(id_ for ids in report.failed.values() for id_ in ids)}
    yield from (each.line for each in report.findings if each[:2] not in valid)
    for said, ids in report.failed.items():
        yield f"{' '.join(ids)} could not be checked: {printable(said, keep=chr(10))}"
    for each in exceptions:
        if (name := (each.id, each.place)) not in valid:
            what = f"accepted until {each.until} by {each.owner}; expected a day within a year"
            yield printable(f"SEC-001 {each.id} {each.place}: {what}. Fix: fix it, or renew that")
        elif name not in found and each.id not in not_done:
            what = "accepted, but not found. Fix: remove it from the accepted findings"
            yield printable(f"SEC-002 {each.id} {each.place}: {what}")
