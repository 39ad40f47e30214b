"""Metrics that a service declares."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

import vitals
from tests.engine.applications import install
from vitals import testing
from vitals.observability import own_metrics
from vitals.observability.metric_types import dropped
from vitals.observability.metrics import Metrics


@pytest.fixture(autouse=True)
def _none_declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(own_metrics, "_declared", {})
    dropped.clear()
    yield
    dropped.clear()


async def test_each_kind_is_shown_with_its_labels(metrics: Metrics) -> None:
    orders = vitals.counter("orders_total", "orders\naccepted", "kind")
    waiting = vitals.gauge("queue_waiting", "messages that wait")
    payment = vitals.histogram("payment_seconds", "time of a payment", buckets=(1, 2))
    orders.add(kind='gi"ft')
    orders.add(2, kind='gi"ft')
    waiting.set(4)
    payment.observe(1.5)

    text = await metrics.text()

    assert "# HELP orders_total orders accepted\n# TYPE orders_total counter\n" in text
    assert 'orders_total{kind="gi\\"ft"} 3\n' in text
    assert "# TYPE queue_waiting gauge\nqueue_waiting 4.0\n" in text
    assert 'payment_seconds_bucket{le="2"} 1\n' in text
    assert "payment_seconds_sum 1.5\npayment_seconds_count 1\n" in text


async def test_they_are_on_the_status_page() -> None:
    vitals.counter("orders_total", "orders", "kind").add(kind="gift")
    vitals.histogram("payment_seconds", "time of a payment").observe(1.5)
    app = install(FastAPI(), environment="local")

    async with testing.client(app) as client:
        sections = (await client.get("/status.json")).json()["sections"]

    assert sections["Metrics"] == {
        'orders_total{kind="gift"}': "1",
        "payment_seconds": "1 values, mean 1.5",
    }


async def test_a_metric_has_at_most_100_series(metrics: Metrics) -> None:
    orders = vitals.counter("orders_total", "orders", "customer")
    for number in range(150):
        orders.add(customer=number)

    text = await metrics.text()

    assert text.count("orders_total{") == 100
    assert 'metric_series_dropped_total{metric="orders_total"} 50' in text


@pytest.mark.parametrize(
    ("kind", "name", "labels"),
    [
        (vitals.gauge, "event_loop_lag_seconds", ()),
        (vitals.gauge, "with-hyphen", ()),
        (vitals.gauge, "orders", ("a label",)),
        (vitals.gauge, "payment_seconds_sum", ()),
        (vitals.counter, "orders", ()),
    ],
)
def test_a_name_that_clashes_or_is_invalid_is_refused(
    kind: type, name: str, labels: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=name):
        kind(name, "a text", *labels)


def test_a_metric_can_be_declared_again_only_as_it_is() -> None:
    first = vitals.counter("orders_total", "orders", "kind")

    assert vitals.counter("orders_total", "orders", "kind") is first
    with pytest.raises(ValueError, match="declared twice"):
        vitals.counter("orders_total", "orders", "size")


def test_wrong_labels_and_negative_amounts_are_refused() -> None:
    orders = vitals.counter("orders_total", "orders", "kind")

    with pytest.raises(ValueError, match="expected kind"):
        orders.add(size="big")
    for amount in (-1, float("nan")):
        with pytest.raises(ValueError, match="expected 0 or more"):
            orders.add(amount, kind="gift")


@pytest.mark.parametrize(
    ("buckets", "labels"), [((2, 1), ()), ((1, float("inf")), ()), ((1, 2), ("le",))]
)
def test_buckets_that_no_scraper_reads_are_refused(
    buckets: tuple[float, ...], labels: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="payment_seconds"):
        vitals.histogram("payment_seconds", "time of a payment", *labels, buckets=buckets)


def test_no_value_of_a_thread_is_lost() -> None:
    orders = vitals.counter("orders_total", "orders")

    def add() -> None:
        for _ in range(20_000):
            orders.add()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert orders.series == {"": [80_000]}


class Broken:
    """A dependency whose gauge fails."""

    name = "broken"

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def checks(self) -> list[vitals.Check]:
        return []

    def gauges(self) -> dict[str, float]:
        raise KeyError("queue")


async def test_a_broken_gauge_hides_no_other_metric(metrics: Metrics) -> None:
    metrics._gauges = (Broken().gauges, *metrics._gauges)

    assert "event_loop_lag_seconds" in await metrics.text()


async def test_a_gauge_that_is_no_number_is_left_out(metrics: Metrics) -> None:
    nothing: Any = None
    metrics._gauges = (lambda: {"queue_paused": True}, lambda: {"queue_waiting": nothing})

    text = await metrics.text()

    assert "\nqueue_paused 1\n" in text
    assert "queue_waiting" not in text


async def test_a_gauge_that_fails_at_the_start_does_not_stop_it() -> None:
    app = install(FastAPI(), {"dependencies": [Broken()]})

    async with testing.client(app) as client:
        assert (await client.get("/readyz")).status_code == 200


async def test_a_label_that_is_no_text_spoils_no_other_metric(metrics: Metrics) -> None:
    vitals.counter("files_total", "files", "name").add(name="caf\udce9")

    assert b'files_total{name="caf?"} 1\n' in (await metrics.text()).encode()


@pytest.mark.parametrize("name", ["app_info", "queue-waiting"])
async def test_a_dependency_with_a_gauge_that_clashes_stops_the_start(name: str) -> None:
    class Queue(Broken):
        def gauges(self) -> dict[str, float]:
            return {name: 1}

    app = install(FastAPI(), {"dependencies": [Queue()]})

    with pytest.raises(RuntimeError, match=name):
        async with testing.lifespan(app):
            pass
