"""What is written down when a request is over: which log line, which metrics?

What depends on method, route and status alone is prepared once, so that a request costs a
look-up, a few list elements and one text.
"""

import json
import logging
from bisect import bisect_left
from collections.abc import Callable
from math import trunc
from time import time
from typing import NamedTuple, Protocol

from vitals.observability import logs
from vitals.observability.metrics import CALLS, SECONDS, Histogram, Metrics
from vitals.observability.route_label import UNMATCHED
from vitals.observability.tracing import PROBES
from vitals.request_stats import Tally

METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
OTHER_METHOD = "_OTHER"
MANY_REPEATS = 10  # of one statement in one request: a query for each line of another
NOTICED_MS = 1  # a shorter wait for a connection is not worth a field
COSTS = ',"db_calls":%d,"db_ms":%.3f,"db_repeats":%d,"cache":"%s","bytes_out":'
NO_COSTS = COSTS % (0, 0, 0, "none")
THOUSANDTHS = tuple(f".{number:03d}" for number in range(1000))
DB_SECONDS = "db_client_operation_duration_seconds"
log = logging.getLogger("app.requests")


class Notes(Protocol):
    """Whoever wants to be told of requests that are not well."""

    def failed(self, method: str, route: str, status: int, error: str, request_id: str) -> None: ...
    def repeated(self, route: str, statement: str, times: int, request_id: str) -> None: ...


class Common(NamedTuple):
    """What requests with one method, route and status have in common."""

    before: str  # what stands in the line before the request's id; empty if there is no line
    between: str  # and between the ids and the duration
    seconds: Histogram
    calls: Histogram


class Recorder:
    """Logs and counts each request."""

    def __init__(
        self,
        metrics: Metrics,
        log_format: str,
        log_level: str,
        write: Callable[[str], None] = logs.stdout.write,
        notes: Notes | None = None,
    ) -> None:
        self.metrics = metrics
        self._write = write
        self._format = logs.FORMATS[log_format]
        self._as_text = log_format == "text"
        self._level = logging.getLevelNamesMapping()[log_level.upper()]
        self._notes = notes
        self._second, self._opening = 0, ""
        self._common: dict[tuple[str, str, int], Common] = {}

    def record(
        self, tally: Tally, trace_id: str, method: str, route: str, status: int, seconds: float
    ) -> None:
        """Write down what a request cost."""
        common = self._common.get((method, route, status))
        before, between, took, called = common or self._prepare(method, route, status)
        took.counts[bisect_left(SECONDS, seconds)] += 1  # `observe`, without a call
        took.sum += seconds
        costs, more = NO_COSTS, None
        if tally.calls or tally.cache != "none":
            costs = self._look_closer(tally, route, called)
            more = _more(tally)
        else:
            called.counts[0] += 1
        if status >= 500 and self._notes is not None:
            self._notes.failed(method, route, status, tally.error, tally.request_id)
        if before:
            now, us = time(), trunc(seconds * 1_000_000)
            if (second := trunc(now)) != self._second:
                self._second, self._opening = second, f'{{"time":"{logs.to_the_second(second)}'
            line = (
                f"{self._opening}{THOUSANDTHS[trunc((now - second) * 1000)]}{before}"
                f'{tally.request_id}","trace_id":"{trace_id}{between}'
                f"{us // 1000}{THOUSANDTHS[us % 1000]}{costs}{tally.bytes_out}"
                f',"error":"{tally.error}"}}\n'
            )
            if more or self._as_text:
                line = self._format(json.loads(line) | (more or {}))
            self._write(line)

    def _look_closer(self, tally: Tally, route: str, called: Histogram) -> str:
        """Count what only some requests have; answers with their part of the line."""
        calls, ms = tally.total("db")
        called.observe(calls)
        labels = {"http_route": route}
        if tally.cache != "none":
            self.metrics.count("cache_requests_total", labels | {"result": tally.cache})
        if not calls:
            return COSTS % (0, 0, 0, tally.cache)
        operations = self.metrics.histogram(DB_SECONDS, SECONDS, labels)
        for kind, each_ms, _ in tally.calls:
            if kind == "db":
                operations.observe(each_ms / 1000)
        statement, repeats = tally.statements()[0]
        if repeats >= MANY_REPEATS:
            told = {"statement": statement, "repeats": repeats}
            log.warning("one statement ran many times in one request", extra=told)
            if self._notes is not None:
                self._notes.repeated(route, statement, repeats, tally.request_id)
        return COSTS % (calls, ms, repeats, tally.cache)

    def _prepare(self, method: str, route: str, status: int) -> Common:
        if method not in METHODS:
            method = OTHER_METHOD
        histogram, labels = self.metrics.histogram, {"http_route": route}
        asked = {"http_request_method": OTHER_METHOD if route == UNMATCHED else method}
        asked |= labels | {"http_response_status_code": str(status)}
        level = logging.ERROR if status >= 500 else logging.INFO
        logged = level >= self._level and (status >= 400 or route not in PROBES)
        name, path = logging.getLevelName(level).lower(), json.dumps(route)
        common = Common(
            f'Z","level":"{name}","event":"request","request_id":"' if logged else "",
            f'","method":"{method}","route":{path},"status":{status},"duration_ms":',
            histogram("http_server_request_duration_seconds", SECONDS, asked),
            histogram("http_server_request_db_calls", CALLS, labels),
        )
        if method != OTHER_METHOD:  # a client can think of any number of them
            self._common[method, route, status] = common
        return common


def _more(tally: Tally) -> dict[str, object]:
    """The fields that join only when there is something to tell."""
    more = dict[str, object]()
    for kind, (calls, ms) in tally.totals().items():
        if kind != "db" and (kind != "pool_wait" or ms >= NOTICED_MS):
            more |= {f"{kind}_calls": calls, f"{kind}_ms": round(ms, 3)}
    if tally.cache_reason:
        more["cache_reason"] = tally.cache_reason
    return more
