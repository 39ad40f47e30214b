"""Does the verdict name what is broken, since when, and what to do, the worst first?"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from app.health.checks import State
from app.status.cost import Cost
from app.status.history import SLOT_SECONDS
from app.status.notes import Notes
from app.status.verdict import Finding, findings

BOUNDS = (0.1, 1.0, 10.0)


def slot(fast: int = 0, slow: int = 0, errors: int = 0, statement_ms: float = 0) -> Cost:
    statements = fast + slow if statement_ms else 0
    us = int(statements * statement_ms * 1000)
    return Cost(BOUNDS, (fast, 0, slow, 0), errors, 0, statements, us, 0, 0, SLOT_SECONDS)


@dataclass
class Traffic:
    """What each route cost in its slots, the oldest first."""

    slots: dict[str, list[Cost]]

    def found(self, *states: State, remedies: dict[str, str] | None = None) -> list[Finding]:
        return findings(states, remedies or {}, self.slots, self.points, Notes().repeats())

    def points(self, route: str, slots: int) -> list[Cost]:
        return self.slots[route][-slots:]


def seconds_ago(finding: Finding) -> float:
    return (datetime.now(UTC) - finding.since).total_seconds()


def test_nothing_is_found_while_all_is_well() -> None:
    assert Traffic({"/items": [slot(fast=100)] * 4}).found(State("cache", False, True)) == []


def test_a_required_check_that_fails_comes_before_an_optional_one() -> None:
    found = Traffic({}).found(
        State("cache", False, False, "away"),
        State("database", True, False, "refused", since=datetime.now(UTC) - timedelta(hours=2)),
        remedies={"database": "look at it"},
    )

    assert [each.sentence for each in found] == [
        "Out of service: the check database fails.",
        "In service, but not at its best: the check cache fails.",
    ]
    assert (found[0].status, found[1].status) == ("fail", "warn")
    assert (found[0].reason, found[0].remedy) == ("refused", "look at it")
    assert seconds_ago(found[0]) == pytest.approx(7200, abs=5)


def test_draining_says_that_nothing_has_to_be_done_in_a_deployment() -> None:
    (found,) = Traffic({}).found(State("draining", True, False, "told to stop"))

    assert found.sentence == "Out of service: it is draining."
    assert found.remedy.startswith("Nothing, if somebody deploys")


def test_a_route_that_fails_is_named_since_its_first_error() -> None:
    slots = [slot(fast=50), slot(fast=50, errors=9), slot(), slot(fast=50, errors=9)]

    (found,) = Traffic({"/items": slots}).found()

    assert found.sentence == "In service, but /items fails."
    assert found.reason == "18 of its last 150 requests ended in a server error"
    assert seconds_ago(found) == pytest.approx(3 * SLOT_SECONDS, abs=1)


def test_one_error_among_many_requests_is_no_finding() -> None:
    assert Traffic({"/items": [slot(fast=200, errors=1)]}).found() == []


def test_a_slow_database_is_told_apart_from_a_slow_route() -> None:
    found = Traffic(
        {
            "/waits": [slot(slow=10, statement_ms=400)],
            "/computes": [slot(slow=10, statement_ms=2)],
        }
    ).found()

    assert [each.sentence for each in found] == [
        "In service, but /waits waits for the database.",
        "In service, but /computes is slow.",
    ]
    assert "400 ms" in found[0].reason
    assert found[1].reason == "10 of its last 10 requests took longer than 1 s"


def test_a_few_slow_requests_among_many_are_no_finding() -> None:
    assert Traffic({"/items": [slot(fast=96, slow=4)]}).found() == []


def test_a_repeated_statement_is_shown_with_its_route_and_how_often_it_ran() -> None:
    notes = Notes()
    notes.repeated("/orders", "SELECT price FROM items WHERE id = ?", 40, "id-of-a-request")

    (found,) = findings([], {}, [], Traffic({}).points, notes.repeats())

    assert found.sentence == "In service, but /orders asks the database too often."
    assert found.reason.startswith("one request ran one statement 40 times: SELECT price")
