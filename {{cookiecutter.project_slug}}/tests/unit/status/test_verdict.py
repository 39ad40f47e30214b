"""Does the verdict name what is broken, since when, and what to do, the worst first?"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from tests.unit.status.counted import Counted
from vitals.health.checks import State
from vitals.status.diagnosis import Finding, findings
from vitals.status.history import SLOT_SECONDS
from vitals.status.recent_errors import Notes


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that the history looks at the clock, a slot is over."""
    ticks = count(0.0, SLOT_SECONDS)
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setattr("vitals.status.history.time", clock)


class Slot(NamedTuple):
    """What a route was asked in 15 s."""

    fast: int = 0
    slow: int = 0
    errors: int = 0
    statement_ms: float = 0


def found(
    *states: State,
    notes: Notes | None = None,
    **traffic: Sequence[Slot],
) -> list[Finding]:
    """What is found after each route had this traffic, the oldest first."""
    counted = Counted()
    for slots in zip(*traffic.values(), strict=True):
        counted.history.advance()
        for route, slot in zip(traffic, slots, strict=True):
            ask(counted, f"/{route}", slot)
        counted.history.update()
    repeats = (notes or Notes()).repeats()
    return findings(states, counted.history, repeats)


def ask(counted: Counted, route: str, slot: Slot) -> None:
    for number in range(slot.fast + slot.slow):
        status = 500 if number < slot.errors else 200
        counted.request(route, 0.02 if number < slot.fast else 2.0, status)
    if slot.statement_ms:
        counted.statements(route, [slot.statement_ms / 1000] * (slot.fast + slot.slow))


def seconds_ago(finding: Finding) -> float:
    return (datetime.now(UTC) - finding.since).total_seconds()


def test_nothing_is_found_while_all_is_well() -> None:
    assert found(State("cache", False, True), items=[Slot(fast=100)] * 4) == []


def test_a_required_check_that_fails_comes_before_an_optional_one() -> None:
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)

    both = found(
        State("cache", False, False, "away"),
        State("database", True, False, "refused", since=two_hours_ago, remedy="look at it"),
    )

    assert [each.sentence for each in both] == [
        "Out of service: the check database fails.",
        "In service, but not at its best: the check cache fails.",
    ]
    assert (both[0].status, both[1].status) == ("fail", "warn")
    assert (both[0].reason, both[0].remedy) == ("refused", "look at it")
    assert seconds_ago(both[0]) == pytest.approx(7200, abs=5)


def test_draining_says_that_nothing_has_to_be_done_in_a_deployment() -> None:
    (only,) = found(State("draining", True, False, "told to stop"))

    assert only.sentence == "Out of service: it is draining."
    assert only.remedy.startswith("Nothing, if somebody deploys")


def test_a_route_that_fails_is_named_since_its_first_error() -> None:
    slots = [Slot(fast=50), Slot(fast=50, errors=9), Slot(), Slot(fast=50, errors=9)]

    (only,) = found(items=slots)

    assert only.sentence == "In service, but /items fails."
    assert only.reason == "18 of its last 150 requests ended in a server error"
    assert seconds_ago(only) == pytest.approx(3 * SLOT_SECONDS, abs=1)


def test_one_error_among_many_requests_is_no_finding() -> None:
    assert found(items=[Slot(fast=200, errors=1)]) == []


def test_a_slow_database_is_told_apart_from_a_slow_route() -> None:
    both = found(waits=[Slot(slow=10, statement_ms=400)], computes=[Slot(slow=10, statement_ms=2)])

    assert [each.sentence for each in both] == [
        "In service, but /waits waits for the database.",
        "In service, but /computes is slow.",
    ]
    assert "400 ms" in both[0].reason
    assert both[1].reason == "10 of its last 10 requests took longer than 1 s"


def test_a_few_slow_requests_among_many_are_no_finding() -> None:
    assert found(items=[Slot(fast=96, slow=4)]) == []


def test_a_repeated_statement_is_shown_with_its_route_and_how_often_it_ran() -> None:
    notes = Notes()
    notes.repeated("/orders", "SELECT price FROM items WHERE id = ?", 40, "id-of-a-request")

    (only,) = found(notes=notes)

    assert only.sentence == "In service, but /orders asks the database too often."
    assert only.reason.startswith("one request ran one statement 40 times: SELECT price")
