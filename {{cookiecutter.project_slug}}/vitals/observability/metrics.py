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

from fastapi import APIRouter, Response

from vitals.health.checks import CheckState
from vitals.observability import logs, own_metrics
from vitals.observability.metric_types import METRICS, OF_PARTS, Histogram, Labels, labels_text

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_SERIES = 10_000  # of one histogram
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
        self._histograms: dict[str, dict[str, Histogram]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def histogram(self, name: str, bounds: Sequence[float], labels: Labels) -> Histogram:
        """The one histogram with this name and these labels."""
        children, key = self._histograms.setdefault(name, {}), labels_text(labels)
        if key not in children and len(children) >= MAX_SERIES:
            self.count("metric_series_dropped_total", {"metric": name})
            return Histogram(bounds)
        return children.setdefault(key, Histogram(bounds))

    def count(self, name: str, labels: Labels) -> None:
        """Add one to a counter."""
        key = name, labels_text(labels)
        self._counts[key] = self._counts.get(key, 0) + 1

    def add_open(self, name: str, route: str) -> None:
        """Add one to a gauge of what is open."""
        self._open[name, labels_text({"http_route": route})] += 1

    def remove_open(self, name: str, route: str) -> None:
        """Take one from a gauge of what is open."""
        self._open[name, labels_text({"http_route": route})] -= 1

    def series(self) -> Iterator[tuple[str, str, Sequence[int], float]]:
        """Each series: name, labels, the buckets of a histogram, its sum or the value."""
        for name, children in self._all_histograms():
            for labels, histogram in tuple(children.items()):
                yield name, labels, histogram.counts, histogram.sum
        for name, labels, value in self._samples():
            yield name, labels, (), value

    async def text(self) -> str:
        """Everything in Prometheus' text format; the event loop is never held for long."""
        parts: list[str] = []
        for name, children in self._all_histograms():
            parts.append(_head(name))
            for done, (labels, histogram) in enumerate(tuple(children.items())):
                parts += _lines(name, labels, histogram)
                if done % AT_A_TIME == 0:
                    await asyncio.sleep(0)
        last = ""
        for name, labels, value in sorted(self._samples()):
            parts.append(_head(name) if name != last else "")
            parts.append(f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n")
            last = name
        return "".join(parts)

    def check_gauges(self) -> None:
        """Raise ValueError for gauges of dependencies that can't be shown beside the others."""
        known = {*own_metrics.names(), *METRICS} - {*OF_PARTS}
        for gauges in self._gauges:
            for name in gauges():
                if name in known or not own_metrics.NAME(name):
                    raise ValueError(f"gauge {name!r}: a metric has this name, or none can have it")
                known.add(name)

    def _all_histograms(self) -> list[tuple[str, Mapping[str, Histogram]]]:
        return [*self._histograms.items(), *own_metrics.histograms()]

    def _samples(self) -> Iterator[tuple[str, str, float]]:
        yield "app_info", self._about, 1
        yield "http_server_active_requests", "", self.active
        yield "log_lines_dropped_total", "", logs.stdout.dropped
        yield "log_errors_total", "", logs.stdout.errors
        yield "process_start_time_seconds", "", STARTED
        if memory := _resident_bytes():
            yield "process_resident_memory_bytes", "", memory
        for (name, labels), value in (*self._counts.items(), *self._open.items()):
            yield name, labels, value
        yield from own_metrics.samples()
        for gauges in self._gauges:
            try:
                values = gauges()
            except Exception:  # one broken gauge must not hide the others
                log.exception("the gauges of a dependency can't be read")
                continue
            for name, value in values.items():
                yield name, "", value
        for state in self._states():
            labels = labels_text({"check": state.name})
            yield "health_check_up", labels, int(state.up)
            yield "health_check_duration_seconds", labels, state.duration_seconds


def router(metrics: Metrics) -> APIRouter:
    """The path /metrics; whoever includes it adds a guard."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    async def read_metrics() -> Response:
        return Response(await metrics.text(), media_type=MEDIA_TYPE)

    return routes


def _head(name: str) -> str:
    kind, text = METRICS.get(name) or own_metrics.about(name) or OTHER_GAUGE
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _resident_bytes() -> int:
    """The memory that this process holds; 0 where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _lines(name: str, labels: str, histogram: Histogram) -> list[str]:
    totals = list(accumulate(histogram.counts))
    bounds, more = (*histogram.bounds, "+Inf"), labels and f"{labels},"
    of = labels and f"{{{labels}}}"
    return [
        *(f'{name}_bucket{{{more}le="{b}"}} {n}\n' for b, n in zip(bounds, totals, strict=True)),
        f"{name}_sum{of} {histogram.sum}\n{name}_count{of} {totals[-1]}\n",
    ]
