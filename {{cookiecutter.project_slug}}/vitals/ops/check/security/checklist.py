"""Checks, their findings, and the findings that were accepted for a time.

A check is a function that looks at the evidence and yields (place, what is wrong there). The place
is a file, a route or a setting, as an exception names it: no two findings of a check share one.
The first line of its docstring is its title. A check that raises fails, and its message is shown:
`Refused` says that its input can't be read. `NotRun` is neither a pass nor a failure.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from vitals.ops.check.security.gather import Evidence
from vitals.ops.run.steps import Refused, printable

Findings = Iterator[tuple[str, str]]  # the place, and what is wrong there
Look = Callable[[Evidence], Iterable[tuple[str, str]]]
L = TypeVar("L", bound=Look)
LONGEST = dt.timedelta(days=366)  # of an exception


class NotRun(Exception):
    """What a check needs is away for now, such as the network; the text says what."""


class Check(NamedTuple):
    id: str
    title: str
    look: Look
    expected: str
    fix: str
    reference: str


class Report(NamedTuple):
    """Lines by id and place; ids by why they failed; why they were not run by id."""

    findings: dict[tuple[str, str], str]
    failed: dict[str, list[str]]
    not_run: dict[str, str]


class Accepted(NamedTuple):
    id: str
    place: str
    owner: str
    reason: str
    until: dt.date


CHECKS: list[Check] = []


def check(id_: str, expected: str, fix: str, reference: str) -> Callable[[L], L]:
    """Add the function below to the checks."""

    def add(look: L) -> L:
        title = (look.__doc__ or "").split("\n")[0]
        CHECKS.append(Check(id_, title, look, expected, fix, reference))
        return look

    return add


def run(checks: Sequence[Check], seen: Evidence) -> Report:
    """Run the checks at once. One that fails, or that crashes, stops none of the others."""
    report = Report({}, {}, {})
    with ThreadPoolExecutor(len(checks) or 1) as pool:
        every = [(each, pool.submit(lambda look: [*look(seen)], each.look)) for each in checks]
    for each, found in every:
        try:
            for place, text in found.result():
                where, rest = printable(place.replace(": ", ":")), f"expected {each.expected}"
                line = f"{each.id} {where}: {text}; {rest}. Fix: {each.fix} ({each.reference})"
                report.findings.setdefault((each.id, where), printable(line))
        except NotRun as reason:
            report.not_run[each.id] = printable(str(reason))
        except Exception as error:  # whatever a file or a tool holds
            said = f"{error}\n{error.output}" if isinstance(error, Refused) else repr(error)
            report.failed.setdefault(printable(said.strip(), keep="\n"), []).append(each.id)
    return report


def accepted(file: Path) -> list[Accepted]:
    """The accepted findings. Raises ValueError if an entry is incomplete."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    fields = Accepted._fields
    for entry in entries:
        if set(entry) != set(fields) or type(entry["until"]) is not dt.date:
            raise ValueError(f"{file.name}: each entry needs {', '.join(fields)}; until is a date")
    return [Accepted(**entry) for entry in entries]


def left(report: Report, exceptions: Sequence[Accepted], today: dt.date) -> Iterator[str]:
    """The findings that nobody accepted, and the exceptions that are not valid or not needed."""
    valid = {each[:2] for each in exceptions if today <= each.until <= today + LONGEST}
    not_done = {*report.not_run, *(id_ for ids in report.failed.values() for id_ in ids)}
    yield from (line for name, line in report.findings.items() if name not in valid)
    yield from (f"{' '.join(ids)} could not be checked: {x}" for x, ids in report.failed.items())
    for each in exceptions:
        where = printable(f"{each.id} {each.place}: accepted")
        if each[:2] not in valid:
            until = f"until {each.until} by {printable(each.owner)}; expected a day within a year"
            yield f"SEC-001 {where} {until}. Fix: fix it, or renew the exception"
        elif each[:2] not in report.findings and each.id not in not_done:
            yield f"SEC-002 {where}, but not found. Fix: remove the exception"
