"""What is written down when a request is over: which log line, which metrics?

What depends on method, route and status alone is prepared once, so that a request costs a
look-up, a few list elements and one `%`.
"""

import json
import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from time import gmtime, strftime, time
from typing import Protocol

from app.observability import tracing
from app.observability.logs import SECOND, stdout
from app.observability.metrics import CALLS, SECONDS, Histogram, Metrics
from app.observability.request_line import STYLES
from app.observability.route_label import UNMATCHED
from app.observability.tally import Tally
from app.observability.tracing import PROBES

METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
OTHER_METHOD = "_OTHER"
OTHER_ROUTE = "__other__"
MAX_OUTCOMES = 2_000  # a bound for what no rule of ours foresaw
MANY_REPEATS = 10  # of one statement in one request: a query for each line of another
THOUSANDTHS = tuple(f"{number:03d}" for number in range(1000))
log = logging.getLogger("app.requests")


class Notes(Protocol):
    """Whoever wants to be told of requests that are not well."""

    def failed(self, method: str, route: str, status: int, error: str, request_id: str) -> None: ...
    def repeated(self, route: str, statement: str, times: int, request_id: str) -> None: ...


@dataclass(slots=True)
class Outcome:
    """What requests with one method, route and status have in common."""

    before: str  # pieces of the line; empty if it is not logged
    between: str
    seconds: Histogram
    calls: Histogram


class Recorder:
    """Logs and counts each request."""

    def __init__(
        self,
        metrics: Metrics,
        log_format: str,
        log_level: str,
        write: Callable[[str], None] = stdout.write,
        notes: Notes | None = None,
    ) -> None:
        self.metrics = metrics
        self._write = write
        self._style = STYLES[log_format]
        self._no_trace = self._style.trace % ""
        self._no_costs = self._style.costs % (0, 0, 0, "none")
        self._no_more = self._style.error % "" + self._style.end
        self._second = 0
        self._second_text = ""
        self._level = logging.getLevelNamesMapping()[log_level.upper()]
        self._trace_id = tracing.trace_id if tracing.is_on() else None
        self._notes = notes
        self._outcomes: dict[tuple[str, str, int], Outcome] = {}

    def record(self, tally: Tally, method: str, route: str, status: int, seconds: float) -> None:
        """Write down what a request cost."""
        outcome = self._outcomes.get((method, route, status))
        if outcome is None:
            outcome = self._outcome(method, route, status)
        histogram = outcome.seconds
        histogram.counts[bisect_left(SECONDS, seconds)] += 1  # `observe`, without a call
        histogram.sum += seconds
        costs, more = self._no_costs, self._no_more
        if tally.calls or tally.cache != "none":
            calls, ms = tally.total("db")
            repeats = self._look_closer(tally, route)
            costs = self._style.costs % (calls, ms, repeats, tally.cache)
            outcome.calls.observe(calls)
        else:
            outcome.calls.counts[0] += 1
        if status >= 500 and self._notes is not None:
            self._notes.failed(method, route, status, tally.error, tally.request_id)
        if outcome.before:
            if tally.calls or tally.cache_reason or tally.error:
                more = self._style.more(tally)
            trace = self._no_trace
            if self._trace_id is not None:
                trace = self._style.trace % self._trace_id()
            now, took = time(), int(seconds * 1_000_000)
            second = int(now)
            if second != self._second:
                self._second = second
                self._second_text = self._style.opening + strftime(SECOND, gmtime(second))
            self._write(
                f"{self._second_text}.{THOUSANDTHS[int((now - second) * 1000)]}{outcome.before}"
                f"{tally.request_id}{trace}{outcome.between}"
                f"{took // 1000}.{THOUSANDTHS[took % 1000]}{costs}{tally.bytes_out}{more}"
            )

    def _look_closer(self, tally: Tally, route: str) -> int:
        """Count what only some requests have; answers how often one statement ran."""
        labels = {"http_route": route}
        if tally.cache != "none":
            self.metrics.count("cache_requests_total", labels | {"result": tally.cache})
        if not (statements := tally.statements()):
            return 0
        name = "db_client_operation_duration_seconds"
        operations = self.metrics.histogram(name, SECONDS, labels)
        for kind, ms, _ in tally.calls:
            if kind == "db":
                operations.observe(ms / 1000)
        statement, repeats = statements[0]
        if repeats >= MANY_REPEATS:
            told = {"statement": statement, "repeats": repeats}
            log.warning("one statement ran many times in one request", extra=told)
            if self._notes is not None:
                self._notes.repeated(route, statement, repeats, tally.request_id)
        return repeats

    def _outcome(self, method: str, route: str, status: int) -> Outcome:
        """Look up or prepare what is common; no client can make it grow without bound."""
        if method not in METHODS:
            method = OTHER_METHOD
        if len(self._outcomes) >= MAX_OUTCOMES:
            route = OTHER_ROUTE
        key = method, route, status
        if key not in self._outcomes:
            self._outcomes[key] = self._prepare(method, route, status)
        return self._outcomes[key]

    def _prepare(self, method: str, route: str, status: int) -> Outcome:
        labels, histogram = {"http_route": route}, self.metrics.histogram
        asked = {"http_request_method": OTHER_METHOD if route == UNMATCHED else method}
        asked |= labels | {"http_response_status_code": str(status)}
        level = logging.ERROR if status >= 500 else logging.INFO
        logged = level >= self._level and (status >= 400 or route not in PROBES)
        style, name = self._style, logging.getLevelName(level).lower()
        return Outcome(
            style.before % name if logged else "",
            style.between % (method, json.dumps(route)[1:-1], status),
            histogram("http_server_request_duration_seconds", SECONDS, asked),
            histogram("http_server_request_db_calls", CALLS, labels),
        )
