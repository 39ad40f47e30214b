"""The engine's metrics by name, their buckets, their series, and how labels are written."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
CALL_BUCKETS = (0, 1, 2, 3, 5, 10, 20, 50)
METRICS = {
    "http_server_request_duration_seconds": (
        "histogram",
        "time until the answer was sent, or the first byte of a stream",
    ),
    "http_server_active_requests": ("gauge", "requests that are being answered"),
    "http_server_open_streams": ("gauge", "answers in parts that are being sent"),
    "http_server_open_websockets": ("gauge", "websockets that are open"),
    "http_server_request_db_calls": ("histogram", "statements of one request"),
    "db_client_operation_duration_seconds": ("histogram", "time of one statement"),
    "db_client_connections_in_use": ("gauge", "connections that requests hold"),
    "db_client_connections_max": ("gauge", "connections that requests may hold"),
    "cache_requests_total": ("counter", "requests by the result of the cache"),
    "health_check_up": ("gauge", "1 if the check passes, 0 if it fails"),
    "health_check_duration_seconds": ("gauge", "time of the check's last run"),
    "event_loop_lag_seconds": ("gauge", "lag of the event loop"),
    "dependency_call_duration_seconds": ("histogram", "time of one call of a dependency"),
    "job_duration_seconds": ("histogram", "time of a job or a background task"),
    "metric_series_dropped_total": ("counter", "values without a series: there were too many"),
    "process_resident_memory_bytes": ("gauge", "memory of this process"),
    "process_start_time_seconds": ("gauge", "when this process started, in Unix time"),
    "log_lines_dropped_total": ("counter", "log lines that could not be written"),
    "operator_login_failures_total": ("counter", "wrong operators' tokens"),
    "log_errors_total": ("counter", "log calls that could not be written as they are"),
    "app_info": ("gauge", "what runs here"),
}

OF_PARTS = (  # given by dependencies and other parts, as gauges
    *("db_client_connections_in_use", "db_client_connections_max"),
    *("event_loop_lag_seconds", "operator_login_failures_total"),
)
Labels = Mapping[str, str]
# Name, labels as in the text format, bounds and buckets of a histogram, and its sum, or the value.
Series = tuple[str, str, Sequence[object], Sequence[int], float]
dropped = Counter[str]()  # values without a series, by metric


class Histogram:
    """The number of values in each bucket, and their sum, `total[0]`; in a worker's file or not."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float], counts: Any = None, total: Any = None) -> None:
        self.bounds = bounds
        self.counts = counts or [0] * (len(bounds) + 1)
        self.total = total or [0.0]

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total[0] += value


class Store:
    """Keeps the values of new series, here in this process."""

    def add(self, name: str, bounds: Sequence[float], labels: str) -> Any:  # noqa: ARG002
        """A new histogram; without bounds a list of one value."""
        return Histogram(bounds) if bounds else [0]


class Family:
    """The series of one metric by their labels, at most so many."""

    def __init__(self, name: str, bounds: Sequence[float], max_series: int) -> None:
        self.name, self.bounds, self._max_series = name, bounds, max_series
        self.series: dict[str, Any] = {}

    def new(self, labels: str, store: Store) -> Any:
        """A new series; if there are too many, one that is discarded."""
        if len(self.series) >= self._max_series:
            dropped[self.name] += 1
            return Store().add(self.name, self.bounds, labels)
        found = self.series[labels] = store.add(self.name, self.bounds, labels)
        return found

    def move(self, store: Store) -> None:
        """Keep the values in another store from now on."""
        for labels, before in self.series.items():
            self.series[labels] = new = store.add(self.name, self.bounds, labels)
            parts = [(new, before)]
            if self.bounds:
                parts = [(new.counts, before.counts), (new.total, before.total)]
            for part, values in parts:
                for at, value in enumerate(values):
                    part[at] = value

    def read(self) -> Iterator[Series]:
        for labels, each in tuple(self.series.items()):
            counts, value = (each.counts, each.total[0]) if self.bounds else ((), each[0])
            yield self.name, labels, self.bounds, counts, value


def labels_text(labels: Labels) -> str:
    """Labels as the text format writes them."""
    return _text(tuple(labels.items()))


@lru_cache(maxsize=4_096)  # every call of a request asks for the same few
def _text(labels: tuple[tuple[str, str], ...]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels)


def _escape(value: str) -> str:
    text = value.encode(errors="replace").decode()  # names of files may be no text
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
