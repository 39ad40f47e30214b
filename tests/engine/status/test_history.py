"""The history of the routes and the recent errors: right numbers in bounded memory."""

import asyncio
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.engine.applications import until
from tests.engine.status.counted import Counted
from vitals.observability.metric_types import Series
from vitals.observability.recent_errors import MAX_ERRORS, MAX_STATEMENTS, RecentErrors
from vitals.status.history import MAX_ROUTES, OTHERS, SLOTS


def test_a_routes_vitals_equal_the_counted_requests() -> None:
    counted = Counted()
    for seconds in [0.02] * 90 + [0.6] * 10:
        counted.request("/items", seconds, calls=2)
    counted.request("/items", status=503)
    counted.statements("/items", [0.1, 0.3])
    for result in ("hit", "hit", "hit", "miss"):
        counted.cache("/items", result)

    counted.history.update()

    stats = counted.history.total("/items")
    assert (stats.requests, stats.errors, stats.db_calls) == (101, 1, 200)
    assert stats.statement_ms == pytest.approx(200)
    assert (stats.cache_lookups, stats.cache_hits) == (4, 3)
    assert stats.quantile_ms(0.5) == pytest.approx(18.3, abs=0.1)  # within 10 to 25 ms
    assert stats.quantile_ms(0.95) == pytest.approx(623, abs=5)  # within 500 to 750 ms
    assert counted.history.gauges["event_loop_lag_seconds"] == 0.25


def test_a_request_is_counted_in_one_slot_only() -> None:
    counted = Counted()
    counted.request("/items")
    counted.history.update()
    counted.history.advance()
    counted.request("/items")
    counted.request("/items")

    counted.history.update()

    assert [stats.requests for stats in counted.history.points("/items")[-2:]] == [1, 2]
    assert counted.history.total("/items").requests == 3


def test_requests_older_than_the_window_are_dropped() -> None:
    counted = Counted()
    counted.request("/items")
    counted.history.update()

    for _ in range(SLOTS):
        counted.history.advance()

    assert counted.history.totals() == {}


@pytest.mark.parametrize("prefix", ["", "/internal"])
def test_the_engines_own_routes_are_not_part_of_the_traffic(prefix: str) -> None:
    counted = Counted(prefix)
    for route in ("/livez", "/readyz", "/health", "/metrics", "/status", "/status.json"):
        counted.request(prefix + route)
    counted.request("/items")

    counted.history.update()

    assert list(counted.history.totals()) == ["/items"]


def test_a_route_with_quotes_and_backslashes_keeps_its_name() -> None:
    counted = Counted()
    counted.request('/a"b\\c')

    counted.history.update()

    assert list(counted.history.totals()) == ['/a"b\\c']


def test_a_total_that_wraps_around_keeps_the_differences_right() -> None:
    counted = Counted()
    counted.statements("/items", [4_290.0])
    counted.history.update()
    counted.history.advance()
    counted.statements("/items", [10.0])

    counted.history.update()

    assert counted.history.total("/items", 1).statement_ms == 10_000


def test_routes_over_the_limit_are_added_up_in_one_and_memory_stays_bounded() -> None:
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


async def test_an_open_history_reads_the_metrics_until_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vitals.status.history.SLOT_SECONDS", 0.01)
    counted = Counted()
    was_read = asyncio.Event()
    running = asyncio.all_tasks()

    def series() -> Iterator[Series]:
        was_read.set()
        return counted.metrics.series()

    monkeypatch.setattr(counted.service, "series", series)
    await counted.history.open()
    async with asyncio.timeout(5):
        await was_read.wait()
    await counted.history.close()

    assert asyncio.all_tasks() == running


async def test_a_history_that_failed_once_is_read_again_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vitals.status.history.SLOT_SECONDS", 0.01)
    counted, failed = Counted(), asyncio.Event()
    await counted.history.open()

    def fails() -> Iterator[Series]:
        failed.set()
        raise ValueError("no series")

    with monkeypatch.context() as patched:
        patched.setattr(counted.service, "series", fails)
        await failed.wait()
    counted.request("/items")
    await until(lambda: "/items" in counted.history.totals())
    await counted.history.close()

    assert "failed" in caplog.text


def test_the_newest_failure_is_first_and_the_oldest_are_dropped() -> None:
    recent = RecentErrors()
    for number in range(MAX_ERRORS + 5):
        recent.failed("GET", "/items", 500, "ValueError", f"request-{number}")

    failures = recent.failures()

    assert failures[0].request_id == f"request-{MAX_ERRORS + 4}"
    assert len(failures) == MAX_ERRORS


def test_a_failing_probe_is_not_a_failed_request() -> None:
    recent = RecentErrors()

    recent.failed("GET", "/readyz", 503, "", "request-1")

    assert recent.failures() == []


def test_a_repeated_statement_keeps_the_time_of_its_first_repetition() -> None:
    recent = RecentErrors()
    recent.repeated("/a", "SELECT 1", 10, "first")
    since = recent.repeats()[0].since

    recent.repeated("/a", "SELECT 1", 12, "second")

    (repeat,) = recent.repeats()
    assert (repeat.since, repeat.times, repeat.request_id) == (since, 12, "second")


def test_the_statement_that_was_repeated_longest_ago_is_dropped_first() -> None:
    recent = RecentErrors()
    for number in range(MAX_STATEMENTS + 1):
        recent.repeated("/a", f"SELECT {number}" + "x" * 10_000, 10, "id")

    repeats = recent.repeats()

    assert len(repeats) == MAX_STATEMENTS
    assert not any(each.statement.startswith("SELECT 0x") for each in repeats)
    assert max(len(each.statement) for each in repeats) == 300


def test_many_series_are_read_in_pieces_between_which_requests_run() -> None:
    counted = Counted()
    for number in range(300):
        counted.request(f"/items{number}")

    pieces = sum(1 for _ in counted.history._read())

    assert pieces >= 6  # 600 series, at most 100 at a time
    assert counted.history.total("/items7").requests == 1
