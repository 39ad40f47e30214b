"""The checklist itself: its lines and its exceptions."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from vitals.ops.check.security import __main__ as security
from vitals.ops.check.security import gather
from vitals.ops.check.security.checklist import (
    Accepted,
    Check,
    NotRun,
    accepted,
    left,
    run,
)
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

TODAY = dt.date(2026, 6, 15)
PLAN = Accepted("SEC-999", "POST /plans", "team", "large plans", TODAY)
NOTHING: gather.Evidence = None  # type: ignore[assignment]


def check(*found: tuple[str, str], raises: Exception | None = None) -> Check:
    def look(_: gather.Evidence) -> Iterator[tuple[str, str]]:
        yield from found
        if raises:
            raise raises

    return Check("SEC-999", "it holds", look, "nothing", "undo it", "RFC 1")


def lines(*checks: Check, accepted: Sequence[Accepted] = (), today: dt.date = TODAY) -> list[str]:
    return list(left(run(checks, NOTHING), accepted, today))


def test_numbers_are_given_once_and_in_order() -> None:
    ids = [check.id for check in security.CHECKS]

    assert ids == sorted(set(ids))


def test_a_line_says_the_place_what_was_found_what_is_expected_and_the_fix() -> None:
    (line,) = lines(check(("POST /plans", "a fault")))

    assert line == "SEC-999 POST /plans: a fault; expected nothing. Fix: undo it (RFC 1)"


def test_a_line_holds_no_control_character() -> None:
    (line,) = lines(check(("a\x1b[31m\r\n\u202efile", "a \x07 fault")))

    assert line.startswith(r"SEC-999 a\x1b[31m\r\n\u202efile: a \x07 fault; ")
    assert line.isprintable()


def test_an_accepted_finding_is_left_out_until_its_day() -> None:
    found = check(("POST /plans", "a fault"))

    assert lines(found, accepted=[PLAN]) == []
    day_after = lines(found, accepted=[PLAN], today=TODAY + dt.timedelta(days=1))
    assert [line[:19] for line in day_after] == ["SEC-999 POST /plans", "SEC-001 SEC-999 POS"]


def test_an_accepted_finding_hides_no_other_of_the_same_check() -> None:
    (line,) = lines(check(("POST /plans", "a"), ("POST /plans text", "b")), accepted=[PLAN])

    assert line.startswith("SEC-999 POST /plans text: b")


def test_nothing_is_accepted_for_more_than_a_year() -> None:
    entry = PLAN._replace(until=dt.date(2027, 6, 17))

    found, exception = lines(check(("POST /plans", "a fault")), accepted=[entry])

    assert found.startswith("SEC-999 POST /plans")
    assert "expected a day within a year" in exception


def test_an_exception_that_nothing_needs_is_a_finding() -> None:
    (line,) = lines(check(), accepted=[PLAN])

    assert line.startswith("SEC-002 SEC-999 POST /plans: accepted, but not found")


@pytest.mark.parametrize("error", [NotRun("no network"), Refused("no such tool")])
def test_an_exception_of_a_check_that_was_not_done_is_no_finding(error: Exception) -> None:
    said = lines(check(raises=error), accepted=[PLAN])

    assert [line for line in said if line.startswith("SEC-002")] == []


def test_a_check_that_is_not_run_is_neither_a_finding_nor_a_pass() -> None:
    report = run([check(raises=NotRun("no network"))], NOTHING)

    assert (report.findings, report.failed) == ({}, {})
    assert report.not_run == {"SEC-999": "no network"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            Refused("the history is shallow", fix="fetch it", output="fatal: \x1b[2J"),
            "shallow. Fix",
        ),
        (KeyError("ident"), "KeyError('ident')"),
    ],
)
def test_a_check_that_can_not_be_done_fails_and_stops_no_other(error: Exception, said: str) -> None:
    other = check(("POST /plans", "a fault"))._replace(id="SEC-998")

    found, failed = lines(check(raises=error), other, accepted=[PLAN])

    assert found.startswith("SEC-998 POST /plans")
    assert failed.startswith("SEC-999 could not be checked: ")
    assert said in failed
    assert failed.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "text",
    [
        'owner = "team"\nreason = "large plans"\nuntil = 2027-01-01\n',
        'place = "p"\nowner = "t"\nreason = "r"\nuntil = "tomorrow"\n',
        'place = "p"\nowner = "t"\nreason = "r"\nuntil = 2027-01-01T00:00:00Z\n',
        'place = "p"\nowner = "t"\nreason = "r"\nuntil = 2027-01-01\nmore = 1\n',
    ],
)
def test_an_exception_must_be_whole(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "accepted.toml").write_text(f'[[accepted]]\nid = "SEC-413"\n{text}')

    with pytest.raises(ValueError, match="each entry needs id, place, owner, reason, until"):
        accepted(file)


def test_no_entry_is_accepted_from_the_start() -> None:
    assert accepted(shell.ROOT / security.ACCEPTED) == []
