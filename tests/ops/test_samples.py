"""Samples are read from the text that the engine itself writes."""

import asyncio
from collections import Counter

import pytest

from vitals.observability.metric_types import CALL_BUCKETS, DURATION_BUCKETS
from vitals.observability.metrics import Metrics
from vitals.ops.deploy import samples
from vitals.ops.deploy.samples import Sample


def text(*requests: tuple[str, str, int, float, int]) -> str:
    """What /metrics says after these: method, route, status, seconds, database calls."""
    metrics = Metrics({"version": "v1"}, list, [])
    for method, route, status, seconds, calls in requests:
        labels = {"http_route": route}
        counted = {
            "http_request_method": method,
            **labels,
            "http_response_status_code": str(status),
        }
        metrics.histogram(samples.DURATION, DURATION_BUCKETS, counted).observe(seconds)
        metrics.histogram(samples.DB_CALLS, CALL_BUCKETS, labels).observe(calls)
    return asyncio.run(metrics.text())


def test_a_route_is_counted_over_its_methods_and_statuses() -> None:
    sample = samples.read(
        text(
            ("GET", "/items/{item_id}", 200, 0.003, 1),
            ("GET", "/items/{item_id}", 503, 0.3, 0),
            ("PUT", "/items/{item_id}", 200, 30, 60),
        )
    )

    counts = sample.routes["/items/{item_id}"]
    assert (counts["requests"], counts["errors"]) == (3, 1)
    assert [counts[f"seconds {bound}"] for bound in ("0.005", "0.25", "0.5", "inf")] == [1, 1, 2, 3]
    assert [counts[f"calls {bound}"] for bound in ("0", "1", "50", "inf")] == [1, 2, 2, 3]


def test_memory_and_start_are_those_of_the_process() -> None:
    sample = samples.read(text())

    assert sample.memory_bytes > 1 << 20
    assert sample.started > 1_600_000_000


@pytest.mark.parametrize("route", ["/livez", "/readyz", "/metrics", "/health", "/status", "/docs"])
def test_probes_and_operators_do_not_count(route: str) -> None:
    assert samples.read(text(("GET", route, 503, 0.1, 0))).routes == {}


def test_a_label_with_quotes_is_one_route() -> None:
    assert [*samples.read(text(("GET", '/a"},\\b', 200, 0.1, 0))).routes] == ['/a\\"},\\\\b']


def test_replicas_together_are_sums_and_the_largest_memory() -> None:
    one = Sample({"/items": Counter(requests=2)}, 5, 1)
    other = Sample({"/items": Counter(requests=3), "/orders": Counter(requests=1)}, 4, 2)

    together = samples.merged([one, other])

    assert together == Sample({"/items": Counter(requests=5), "/orders": Counter(requests=1)}, 5, 2)
    assert one.routes["/items"]["requests"] == 2, "a sample is never changed"
