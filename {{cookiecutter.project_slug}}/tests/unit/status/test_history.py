"""Does the history tell of each route what was counted, in bounded memory, and keep what failed?"""

import asyncio
import tracemalloc

import pytest

from tests.unit.status.counted import Counted
from vitals.status.history import MAX_ROUTES, OTHERS, SLOTS, Series
from vitals.status.recent_errors import ERRORS_KEPT, STATEMENTS_KEPT, Notes


def test_a_routes_vitals_are_those_that_were_counted() -> None:
    counted = Counted()
    for seconds in [0.02] * 90 + [0.6] * 10:
        counted.request("/items", seconds, calls=2)
    counted.request("/items", status=503)
    counted.statements("/items", [0.1, 0.3])
    for result in ("hit", "hit", "hit", "miss"):
        counted.cache("/items", result)

    counted.history.update()

    cost = counted.history.total("/items")
    assert (cost.requests, cost.errors, cost.db_calls) == (101, 1, 200)
    assert cost.statement_ms == pytest.approx(200)
    assert (cost.cache_asked, cost.cache_hits) == (4, 3)
    assert cost.quantile_ms(0.5) == pytest.approx(18.3, abs=0.1)  # within 10 to 25 ms
    assert cost.quantile_ms(0.95) == pytest.approx(623, abs=5)  # within 500 to 750 ms
    assert counted.history.gauges["event_loop_lag_seconds"] == 0.25


def test_what_was_counted_before_is_not_counted_again() -> None:
    counted = Counted()
    counted.request("/items")
    counted.history.update()
    counted.history.advance()
    counted.request("/items")
    counted.request("/items")

    counted.history.update()

    assert [cost.requests for cost in counted.history.points("/items")[-2:]] == [1, 2]
    assert counted.history.total("/items").requests == 3


def test_what_is_older_than_the_window_is_forgotten() -> None:
    counted = Counted()
    counted.request("/items")
    counted.history.update()

    for _ in range(SLOTS):
        counted.history.advance()

    assert counted.history.totals() == {}


def test_who_watches_the_service_is_not_part_of_its_traffic() -> None:
    counted = Counted()
    for route in ("/livez", "/readyz", "/health", "/metrics", "/status", "/status.json", "/items"):
        counted.request(route)

    counted.history.update()

    assert list(counted.history.totals()) == ["/items"]


def test_a_route_with_quotes_and_backslashes_keeps_its_name() -> None:
    counted = Counted()
    counted.request('/a"b\\c')

    counted.history.update()

    assert list(counted.history.totals()) == ['/a"b\\c']


def test_a_total_that_goes_round_leaves_the_differences_right() -> None:
    counted = Counted()
    counted.statements("/items", [4_290.0])
    counted.history.update()
    counted.history.advance()
    counted.statements("/items", [10.0])

    counted.history.update()

    assert counted.history.total("/items", 1).statement_ms == 10_000


def test_more_routes_than_fit_are_added_up_in_one_and_memory_stays_bounded() -> None:
    counted = Counted()
    for number in range(2 * MAX_ROUTES):
        counted.request(f"/route/{number}")
    tracemalloc.start()
    try:
        counted.history.update()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    routes = counted.history.totals()
    assert len(routes) == MAX_ROUTES + 1
    assert counted.history.total(OTHERS).requests == MAX_ROUTES
    assert held <= 2_000_000


async def test_an_open_history_reads_by_itself_and_ends_when_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vitals.status.history.SLOT_SECONDS", 0.01)
    counted = Counted()
    was_read = asyncio.Event()
    running = asyncio.all_tasks()

    def series() -> Series:
        was_read.set()
        return counted.metrics.series()

    counted.history._series = series
    await counted.history.open()
    async with asyncio.timeout(5):
        await was_read.wait()
    await counted.history.close()

    assert asyncio.all_tasks() == running


def test_the_newest_failure_is_first_and_old_ones_go() -> None:
    notes = Notes()
    for number in range(ERRORS_KEPT + 5):
        notes.failed("GET", "/items", 500, "ValueError", f"request-{number}")

    failures = notes.failures()

    assert failures[0].request_id == f"request-{ERRORS_KEPT + 4}"
    assert len(failures) == ERRORS_KEPT


def test_a_failing_probe_is_no_failed_request() -> None:
    notes = Notes()

    notes.failed("GET", "/readyz", 503, "", "request-1")

    assert notes.failures() == []


def test_a_statement_keeps_the_time_when_it_was_first_repeated() -> None:
    notes = Notes()
    notes.repeated("/a", "SELECT 1", 10, "first")
    since = notes.repeats()[0].since

    notes.repeated("/a", "SELECT 1", 12, "second")

    (kept,) = notes.repeats()
    assert (kept.since, kept.times, kept.request_id) == (since, 12, "second")


def test_the_statements_that_were_repeated_long_ago_go_first() -> None:
    notes = Notes()
    for number in range(STATEMENTS_KEPT + 1):
        notes.repeated("/a", f"SELECT {number}" + "x" * 10_000, 10, "id")

    kept = notes.repeats()

    assert len(kept) == STATEMENTS_KEPT
    assert not any(each.statement.startswith("SELECT 0x") for each in kept)
    assert max(len(each.statement) for each in kept) == 300
