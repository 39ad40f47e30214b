"""Metrics of your own: counters, gauges and histograms of business events.

    ORDERS = vitals.counter("orders_total", "orders accepted", "kind")
    ORDERS.add(1, kind="gift")

Declare each once, in the module that uses it. All are on /metrics and the status page; they
belong to the process. A metric has at most 100 series: labels are for a few known values.
"""

import re
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from threading import Lock
from typing import TypeVar, cast

from vitals.observability.metric_types import DURATION_BUCKETS, METRICS, Histogram, labels_text

MAX_SERIES = 100  # of one metric
MAX_METRICS = 200
MAX_LABEL = 100  # characters
NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]{0,99}").fullmatch
ENDINGS = ("_bucket", "_sum", "_count")  # of the lines of a histogram
Declared = TypeVar("Declared", bound="OwnMetric")
_declared: dict[str, "OwnMetric"] = {}
_dropped = Counts[str]()


class OwnMetric:
    """A metric by name, with a value or a histogram for each combination of labels."""

    kind = "gauge"

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self.series: dict[str, float] = {}
        self.lock = Lock()  # a route without `async` runs in a thread

    def key(self, labels: Mapping[str, object], series: Mapping[str, object]) -> str | None:
        """The series of these labels; None, and counted, if there are too many."""
        if {*labels} != {*self.labels}:
            expected = ", ".join(self.labels) or "none"
            raise ValueError(f"metric {self.name}: got labels {[*labels]}; expected {expected}")
        key = labels_text({name: str(labels[name])[:MAX_LABEL] for name in self.labels})
        if key in series or len(series) < MAX_SERIES:
            return key
        _dropped[self.name] += 1
        return None


class Gauge(OwnMetric):
    """A value that goes up and down."""

    def set(self, value: float, **labels: object) -> None:
        """Set the value."""
        with self.lock:
            if (key := self.key(labels, self.series)) is not None:
                self.series[key] = float(value)


class Counter(OwnMetric):
    """A value that only goes up."""

    kind = "counter"

    def add(self, amount: float = 1, **labels: object) -> None:
        """Add to the value. Raises ValueError for a negative amount."""
        if not amount >= 0:  # NaN is neither
            raise ValueError(f"metric {self.name}: got {amount}; expected 0 or more")
        with self.lock:
            if (key := self.key(labels, self.series)) is not None:
                self.series[key] = self.series.get(key, 0) + amount


class OwnHistogram(OwnMetric):
    """The distribution of values, such as seconds."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]):
        super().__init__(name, text, labels)
        self.bounds = tuple(bounds)
        self.histograms: dict[str, Histogram] = {}

    def observe(self, value: float, **labels: object) -> None:
        """Count one value."""
        with self.lock:
            if (key := self.key(labels, self.histograms)) is not None:
                histogram = self.histograms.setdefault(key, Histogram(self.bounds))
                histogram.counts[bisect_left(self.bounds, value)] += 1
                histogram.sum += value


def gauge(name: str, text: str, *labels: str) -> Gauge:
    """Declare a gauge with the names of its labels. Raises ValueError for a name that is taken."""
    return _declare(Gauge(name, text, labels))


def counter(name: str, text: str, *labels: str) -> Counter:
    """Declare a counter, whose name ends in _total. Raises ValueError for a name that is taken."""
    if not name.endswith("_total"):
        raise ValueError(f"metric {name}: expected a name that ends in _total, as counters have")
    return _declare(Counter(name, text, labels))


def histogram(
    name: str, text: str, *labels: str, buckets: Sequence[float] = DURATION_BUCKETS
) -> OwnHistogram:
    """Declare a histogram; `buckets` are rising upper bounds. Raises ValueError as `gauge` does."""
    if list(buckets) != sorted({*buckets}) or not all(map(isfinite, buckets)) or "le" in labels:
        expected = "rising numbers, and no label le"
        raise ValueError(f"metric {name}: got buckets {buckets}; expected {expected}")
    return _declare(OwnHistogram(name, text, labels, buckets))


def _declare(metric: Declared) -> Declared:
    """The metric, or the same one if it was declared before."""
    name, before = metric.name, _declared.get(metric.name)
    if before is None:
        taken = name in METRICS or name.endswith(ENDINGS) or len(_declared) >= MAX_METRICS
        if taken or not all(NAME(each) for each in (name, *metric.labels)):
            expected = f"letters, digits and _, none of the engine's names, not {ENDINGS}"
            raise ValueError(f"metric {name!r}: expected {expected}, at most {MAX_METRICS}")
        _declared[name] = metric
        return metric
    if type(before) is type(metric) and _definition(before) == _definition(metric):
        return cast("Declared", before)
    raise ValueError(f"metric {name}: declared twice, differently. Fix: declare it in one module")


def _definition(metric: OwnMetric) -> tuple[object, ...]:
    return metric.text, metric.labels, getattr(metric, "bounds", ())


def names() -> list[str]:
    """The names of the declared metrics."""
    return [*_declared]


def about(name: str) -> tuple[str, str] | None:
    """The kind and the text of a declared metric."""
    if (found := _declared.get(name)) is None:
        return None
    return found.kind, " ".join(found.text.replace("\\", "\\\\").split())


def histograms() -> Iterator[tuple[str, Mapping[str, Histogram]]]:
    """Each declared histogram, by labels."""
    for metric in tuple(_declared.values()):
        if isinstance(metric, OwnHistogram):
            yield metric.name, metric.histograms


def samples() -> Iterator[tuple[str, str, float]]:
    """Each value: name, labels, value."""
    for metric in tuple(_declared.values()):
        for labels, value in tuple(metric.series.items()):
            yield metric.name, labels, value
    for name, value in tuple(_dropped.items()):
        yield "metric_series_dropped_total", labels_text({"metric": name}), value


def values() -> dict[str, object]:
    """What the status page shows: a value, or the count and the mean of a histogram."""
    found: dict[str, object] = {
        f"{name}{{{labels}}}" if labels else name: value for name, labels, value in samples()
    }
    for name, children in histograms():
        for labels, each in tuple(children.items()):
            count = sum(each.counts)
            found[f"{name}{{{labels}}}" if labels else name] = (
                f"{count} values, mean {each.sum / max(1, count):.4g}"
            )
    return found
