"""Metrics of your own: counters, gauges and histograms of business events.

Declare each once, in the module that uses it. All are on /metrics and the status page; they
belong to the process. A metric has at most 100 series: labels are for a few known values.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from threading import Lock
from typing import Any, TypeVar, cast

from vitals.observability.metric_types import (
    DURATION_BUCKETS,
    METRICS,
    Family,
    Series,
    Store,
    labels_text,
)

MAX_SERIES = 100  # of one metric
MAX_METRICS = 200
MAX_LABEL = 100  # characters
NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]{0,99}").fullmatch
ENDINGS = ("_bucket", "_sum", "_count")  # of the lines of a histogram
Declared = TypeVar("Declared", bound="OwnMetric")
_declared: dict[str, "OwnMetric"] = {}
_store = Store()


class OwnMetric(Family):
    """A metric by name, with a value or a histogram for each combination of labels."""

    kind = "gauge"

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float] = ()
    ) -> None:
        super().__init__(name, bounds, MAX_SERIES)
        self.text, self.labels = text, tuple(labels)
        self.definition = (text, self.labels, tuple(bounds))
        self.lock = Lock()  # a route without `async` runs in a thread

    def of(self, labels: Mapping[str, object]) -> Any:
        if {*labels} != {*self.labels}:
            expected = ", ".join(self.labels) or "none"
            raise ValueError(f"metric {self.name}: got labels {[*labels]}; expected {expected}")
        key = labels_text({name: str(labels[name])[:MAX_LABEL] for name in self.labels})
        return self.series.get(key) or self.new(key, Store() if self.kind == "gauge" else _store)


class Gauge(OwnMetric):
    """A value that goes up and down."""

    def set(self, value: float, **labels: object) -> None:
        with self.lock:
            self.of(labels)[0] = float(value)


class Counter(OwnMetric):
    """A value that only goes up."""

    kind = "counter"

    def add(self, amount: float = 1, **labels: object) -> None:
        """Add to the value. Raises ValueError for a negative amount."""
        if not amount >= 0:  # NaN is neither
            raise ValueError(f"metric {self.name}: got {amount}; expected 0 or more")
        with self.lock:
            self.of(labels)[0] += amount


class OwnHistogram(OwnMetric):
    """The distribution of values, such as seconds."""

    kind = "histogram"

    def observe(self, value: float, **labels: object) -> None:
        with self.lock:
            self.of(labels).observe(value)


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
    is_rising = list(buckets) == sorted({*buckets}) and all(map(isfinite, buckets))
    if not buckets or not is_rising or "le" in labels:
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
    if type(before) is type(metric) and before.definition == metric.definition:
        return cast("Declared", before)
    raise ValueError(f"metric {name}: declared twice, differently. Fix: declare it in one module")


def about(name: str) -> tuple[str, str] | None:
    """The kind and the text of a declared metric."""
    if (found := _declared.get(name)) is None:
        return None
    return found.kind, " ".join(found.text.replace("\\", "\\\\").split())


def share(store: Store) -> None:
    """Keep values in this store from now on; only the first call in a process has an effect."""
    global _store
    if type(_store) is Store:
        _store = store
        for metric in _declared.values():
            if metric.kind != "gauge":
                metric.move(store)


def series(*kinds: str) -> Iterator[Series]:
    for metric in tuple(_declared.values()):
        if metric.kind in kinds:
            yield from metric.read()


def values(series: Iterable[Series]) -> dict[str, object]:
    """What the status page shows: a value, or the count and the mean of a histogram."""
    found: dict[str, object] = {}
    for name, labels, bounds, counts, value in series:
        if name in _declared or name == "metric_series_dropped_total":
            number = sum(counts)
            mean = f"{number} values, mean {value / max(1, number):.4g}"
            found[f"{name}{{{labels}}}" if labels else name] = mean if bounds else value
    return found
