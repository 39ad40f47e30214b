"""Metrics in Prometheus' text format.

Names, buckets and labels are those of OpenTelemetry's conventions in Prometheus' spelling. Plain
lists, changed only in the event loop's thread and written out when asked.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from vitals.health.checks import CheckState
from vitals.observability import logs, own_metrics
from vitals.observability.metric_types import (
    METRICS,
    OF_PARTS,
    Family,
    Labels,
    Series,
    Store,
    dropped,
    labels_text,
)

MAX_SERIES = 10_000  # of one metric
STARTED = time.time()
AT_A_TIME = 50  # histograms written out before other requests get their turn
OTHER_GAUGE = ("gauge", "a gauge of a dependency")
log = logging.getLogger(__name__)


class Metrics:
    """The metrics of this process; `states` of checks and `gauges` by name are read when asked."""

    def __init__(
        self,
        about: Labels,
        states: Callable[[], Iterable[CheckState]],
        gauges: Iterable[Callable[[], Mapping[str, float]]],
    ) -> None:
        self.active = 0
        self._open = Counter[tuple[str, str]]()
        self._about = labels_text(about)
        self._states = states
        self._gauges = tuple(gauges)
        self._families: dict[str, Family] = {}
        self._store = Store()

    def histogram(self, name: str, bounds: Sequence[float], labels: Labels) -> Any:
        """The one histogram with this name and these labels; without bounds a list of a value."""
        family, key = self._families.get(name) or self._new(name, bounds), labels_text(labels)
        return family.series.get(key) or family.new(key, self._store)

    def _new(self, name: str, bounds: Sequence[float]) -> Family:
        found = self._families[name] = Family(name, bounds, MAX_SERIES)
        return found

    def count(self, name: str, labels: Labels) -> None:
        self.histogram(name, (), labels)[0] += 1

    def set_count(self, name: str, labels: str, value: float) -> None:
        """Set a counter that is kept elsewhere."""
        family = self._families.get(name) or self._new(name, ())
        (family.series.get(labels) or family.new(labels, self._store))[0] = value

    def add_open(self, name: str, route: str, number: int = 1) -> None:
        """Add to a gauge of what is open; -1 when it is closed."""
        self._open[name, labels_text({"http_route": route})] += number

    def share(self, store: Store) -> None:
        """Keep values in this store from now on; counts from before the start are dropped."""
        self._families.clear()
        self._store = store

    def series(self) -> Iterator[Series]:
        """Each series, those of one metric one after the other."""
        for family in tuple(self._families.values()):
            yield from family.read()
        yield from own_metrics.series("histogram", "counter")
        yield from sorted(self.current())

    async def text(self) -> str:
        """Everything in Prometheus' text format; the event loop is never held for long."""
        parts: list[str] = []
        for done, part in enumerate(text_of(self.series())):
            parts.append(part)
            if done % AT_A_TIME == 0:
                await asyncio.sleep(0)
        return "".join(parts)

    def check_gauges(self) -> None:
        """Raise ValueError for gauges of dependencies that can't be shown beside the others."""
        known = {*METRICS} - {*OF_PARTS}
        for gauges in self._gauges:
            for name in _read(gauges):
                if name in known or own_metrics.about(name) or not own_metrics.NAME(name):
                    raise ValueError(f"gauge {name!r}: a metric has this name, or none can have it")
                known.add(name)

    def current(self) -> Iterator[Series]:
        """What is read when asked: the gauges, and counters that others keep."""
        yield from own_metrics.series("gauge")
        for name, labels, value in self._values():
            yield name, labels, (), (), value

    def _values(self) -> Iterator[tuple[str, str, float]]:
        yield "app_info", self._about, 1
        yield "http_server_active_requests", "", self.active
        yield "log_lines_dropped_total", "", logs.stdout.dropped
        yield "log_errors_total", "", logs.stdout.errors
        yield "process_start_time_seconds", "", STARTED
        if memory := _resident_bytes():
            yield "process_resident_memory_bytes", "", memory
        for (name, labels), value in self._open.items():
            yield name, labels, value
        for name, value in tuple(dropped.items()):
            yield "metric_series_dropped_total", labels_text({"metric": name}), value
        for gauges in self._gauges:
            for name, value in _read(gauges).items():
                yield name, "", value
        for state in self._states():
            labels = labels_text({"check": state.name})
            yield "health_check_up", labels, int(state.up)
            yield "health_check_duration_seconds", labels, state.duration_seconds


def _read(gauges: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """The gauges of a dependency; none if they are broken, which must not hide the others."""
    try:
        return {name: +value for name, value in gauges().items()}
    except Exception:
        log.exception("the gauges of a dependency can't be read")
        return {}


def text_of(series: Iterable[Series]) -> Iterator[str]:
    """Series in Prometheus' text format; those of one metric follow each other."""
    last = ""
    for name, labels, bounds, counts, value in series:
        if name != last:
            kind, text = kind_of(name)
            yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
        last = name
        if not bounds:
            yield f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n"
            continue
        more, of = labels and f"{labels},", labels and f"{{{labels}}}"
        totals = list(accumulate(counts))
        lines = [
            f'{name}_bucket{{{more}le="{bound}"}} {total}\n'
            for bound, total in zip((*bounds, "+Inf"), totals, strict=True)
        ]
        yield f"{''.join(lines)}{name}_sum{of} {value}\n{name}_count{of} {totals[-1]}\n"


def kind_of(name: str) -> tuple[str, str]:
    """The kind and the text of a metric."""
    return METRICS.get(name) or own_metrics.about(name) or OTHER_GAUGE


def _resident_bytes() -> int:
    """The memory that this process holds; 0 where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
