"""The diagnosis: what is wrong, since when and what to do, the worst first."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from tests.engine.status.counted import Counted
from vitals.health.checks import CheckState
from vitals.observability.recent_errors import RecentErrors
from vitals.status.diagnosis import Finding, findings
from vitals.status.history import SLOT_SECONDS


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves on by one slot each time the history reads it."""
    ticks = count(0.0, SLOT_SECONDS)
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setattr("vitals.status.history.time", clock)


class Slot(NamedTuple):
    """The requests of a route in 15 s."""

    fast: int = 0
    slow: int = 0
    errors: int = 0
    statement_ms: float = 0


def found(
    *states: CheckState,
    recent: RecentErrors | None = None,
    **traffic: Sequence[Slot],
) -> list[Finding]:
    """Return the findings after each route had this traffic, the oldest first."""
    counted = Counted()
    for slots in zip(*traffic.values(), strict=True):
        counted.history.advance()
        for route, slot in zip(traffic, slots, strict=True):
            send(counted, f"/{route}", slot)
        counted.history.update()
    repeats = (recent or RecentErrors()).repeats()
    return findings(states, counted.history, repeats)


def send(counted: Counted, route: str, slot: Slot) -> None:
    for number in range(slot.fast + slot.slow):
        status = 500 if number < slot.errors else 200
        counted.request(route, 0.02 if number < slot.fast else 2.0, status)
    if slot.statement_ms:
        counted.statements(route, [slot.statement_ms / 1000] * (slot.fast + slot.slow))


def seconds_ago(finding: Finding) -> float:
    return (datetime.now(UTC) - finding.since).total_seconds()


def test_a_healthy_service_has_no_findings() -> None:
    assert found(CheckState("cache", False, True), items=[Slot(fast=100)] * 4) == []


def test_a_required_check_that_fails_comes_before_an_optional_one() -> None:
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)

    both = found(
        CheckState("cache", False, False, "away"),
        CheckState("database", True, False, "refused", since=two_hours_ago, remedy="look at it"),
    )

    assert [each.sentence for each in both] == [
        'Out of service: required check "database" is failing',
        'Degraded: check "cache" is failing',
    ]
    assert (both[0].status, both[1].status) == ("fail", "warn")
    assert (both[0].reason, both[0].remedy) == ("refused", "look at it")
    assert seconds_ago(both[0]) == pytest.approx(7200, abs=5)


def test_draining_needs_no_action_during_a_deployment() -> None:
    (only,) = found(CheckState("draining", True, False, "told to stop"))

    assert only.sentence == "Out of service: the process is draining"
    assert only.remedy.startswith("Do nothing during a deployment")


def test_a_failing_route_is_dated_back_to_its_first_error() -> None:
    slots = [Slot(fast=50), Slot(fast=50, errors=9), Slot(), Slot(fast=50, errors=9)]

    (only,) = found(items=slots)

    assert only.sentence == "Degraded: /items returns server errors"
    assert only.reason == "18 of the last 150 requests ended in a server error"
    assert seconds_ago(only) == pytest.approx(3 * SLOT_SECONDS, abs=1)


def test_one_error_among_many_requests_is_not_a_finding() -> None:
    assert found(items=[Slot(fast=200, errors=1)]) == []


def test_a_slow_database_is_distinguished_from_a_slow_route() -> None:
    both = found(waits=[Slot(slow=10, statement_ms=400)], computes=[Slot(slow=10, statement_ms=2)])

    assert [each.sentence for each in both] == [
        "Degraded: /waits waits for the database",
        "Degraded: /computes is slow",
    ]
    assert "400 ms" in both[0].reason
    assert both[1].reason == "10 of the last 10 requests took longer than 1 s"


def test_a_few_slow_requests_among_many_are_not_a_finding() -> None:
    assert found(items=[Slot(fast=96, slow=4)]) == []


def test_a_repeated_statement_is_reported_with_its_route_and_count() -> None:
    recent = RecentErrors()
    recent.repeated("/orders", "SELECT price FROM items WHERE id = ?", 40, "id-of-a-request")

    (only,) = found(recent=recent)

    assert only.sentence == "Degraded: /orders repeats a database statement"
    assert only.reason.startswith("one request ran it 40 times: SELECT price")
