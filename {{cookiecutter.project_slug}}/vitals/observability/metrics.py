"""Metrics in Prometheus' text format.

Names, buckets and labels are those of OpenTelemetry's conventions in Prometheus' spelling. Plain
lists, changed only in the event loop's thread and written out when asked.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from fastapi import APIRouter, Response

from vitals.health.checks import CheckState
from vitals.observability import logs

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
CALL_BUCKETS = (0, 1, 2, 3, 5, 10, 20, 50)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
AT_A_TIME = 50  # histograms written out before other requests get their turn
METRICS = {
    "http_server_request_duration_seconds": ("histogram", "time until the answer was sent"),
    "http_server_active_requests": ("gauge", "requests that are being answered"),
    "http_server_request_db_calls": ("histogram", "statements of one request"),
    "db_client_operation_duration_seconds": ("histogram", "time of one statement"),
    "db_client_connections_in_use": ("gauge", "connections that requests hold"),
    "db_client_connections_max": ("gauge", "connections that requests may hold"),
    "cache_requests_total": ("counter", "requests by the result of the cache"),
    "health_check_up": ("gauge", "1 if the check passes, 0 if it fails"),
    "health_check_duration_seconds": ("gauge", "time of the check's last run"),
    "event_loop_lag_seconds": ("gauge", "lag of the event loop"),
    "log_lines_dropped_total": ("counter", "log lines that could not be written"),
    "operator_login_failures_total": ("counter", "wrong operators' tokens"),
    "log_errors_total": ("counter", "log calls that could not be written as they are"),
    "app_info": ("gauge", "what runs here"),
}
OTHER_GAUGE = ("gauge", "a gauge of a dependency")

Labels = Mapping[str, str]


class Histogram:
    """The number of values in each bucket, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Metrics:
    """The metrics of this process; `states` of checks and `gauges` by name are read when asked."""

    def __init__(
        self,
        about: Labels,
        states: Callable[[], Iterable[CheckState]],
        gauges: Iterable[Callable[[], Mapping[str, float]]],
    ) -> None:
        self.active = 0
        self._about = _labels(about)
        self._states = states
        self._gauges = tuple(gauges)
        self._histograms: dict[str, dict[str, Histogram]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def histogram(self, name: str, bounds: Sequence[float], labels: Labels) -> Histogram:
        """The one histogram with this name and these labels."""
        children = self._histograms.setdefault(name, {})
        return children.setdefault(_labels(labels), Histogram(bounds))

    def count(self, name: str, labels: Labels) -> None:
        """Add one to a counter."""
        key = name, _labels(labels)
        self._counts[key] = self._counts.get(key, 0) + 1

    def series(self) -> Iterator[tuple[str, str, Sequence[int], float]]:
        """Each series: name, labels, the buckets of a histogram, its sum or the value."""
        for name, children in self._histograms.items():
            for labels, histogram in children.items():
                yield name, labels, histogram.counts, histogram.sum
        for name, labels, value in self._samples():
            yield name, labels, (), value

    async def text(self) -> str:
        """Everything in Prometheus' text format; the event loop is never held for long."""
        parts: list[str] = []
        for name, children in self._histograms.items():
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

    def _samples(self) -> Iterator[tuple[str, str, float]]:
        yield "app_info", self._about, 1
        yield "http_server_active_requests", "", self.active
        yield "log_lines_dropped_total", "", logs.stdout.dropped
        yield "log_errors_total", "", logs.stdout.errors
        for (name, labels), value in self._counts.items():
            yield name, labels, value
        for gauges in self._gauges:
            for name, value in gauges().items():
                yield name, "", value
        for state in self._states():
            labels = _labels({"check": state.name})
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
    kind, text = METRICS.get(name, OTHER_GAUGE)
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _lines(name: str, labels: str, histogram: Histogram) -> list[str]:
    totals = list(accumulate(histogram.counts))
    bounds = (*histogram.bounds, "+Inf")
    return [
        *(f'{name}_bucket{{{labels},le="{b}"}} {n}\n' for b, n in zip(bounds, totals, strict=True)),
        f"{name}_sum{{{labels}}} {histogram.sum}\n{name}_count{{{labels}}} {totals[-1]}\n",
    ]
