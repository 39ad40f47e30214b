"""The access log: one line and the metrics of each request, written when it is over.

What depends on method, route and status alone is prepared once, so that a request costs a
look-up, a few list elements and one text.
"""

import json
import logging
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from math import trunc
from time import time
from typing import NamedTuple

from vitals.observability import logs
from vitals.observability.metrics import CALL_BUCKETS, DURATION_BUCKETS, Histogram, Metrics
from vitals.observability.route_label import UNMATCHED
from vitals.probes import POLLED
from vitals.request_stats import MAX_TEXT, RequestStats
from vitals.status.recent_errors import RecentErrors

METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
OTHER_METHOD = "_OTHER"
MANY_REPEATS = 10  # of one statement in one request: one query for each row of another
NOTICED_MS = 1  # a shorter wait for a connection gets no field
COSTS = ',"db_calls":%d,"db_ms":%.3f,"db_repeats":%d,"cache":"%s","bytes_out":'
NO_COSTS = COSTS % (0, 0, 0, "none")
THOUSANDTHS = tuple(f".{number:03d}" for number in range(1000))
DB_SECONDS = "db_client_operation_duration_seconds"
log = logging.getLogger("vitals.requests")


class Prepared(NamedTuple):
    """What requests with one method, route and status share."""

    before: str  # what stands in the line before the request's id; empty if there is no line
    between: str  # and between the ids and the duration
    seconds: Histogram
    calls: Histogram


class AccessLog:
    """Logs and counts each request."""

    def __init__(
        self,
        metrics: Metrics,
        log_format: str,
        log_level: str,
        write: Callable[[str], None] = logs.stdout.write,
        recent_errors: RecentErrors | None = None,
    ) -> None:
        self.metrics = metrics
        self._write_line = write
        self._format = logs.FORMATS[log_format]
        self._as_text = log_format == "text"
        self._level = logging.getLevelNamesMapping()[log_level.upper()]
        self._recent_errors = recent_errors
        self._second, self._opening = 0, ""
        self._prepared: dict[tuple[str, str, int], Prepared] = {}

    def write(
        self,
        stats: RequestStats,
        trace_id: str,
        method: str,
        route: str,
        status: int,
        seconds: float,
        outcome: str = "completed",
        client: tuple[str, int] | None = None,
    ) -> None:
        """Write the line of a request and count it; `outcome` is how its answer ended."""
        prepared = self._prepared.get((method, route, status))
        before, between, took, called = prepared or self._prepare(method, route, status)
        took.counts[bisect_left(DURATION_BUCKETS, seconds)] += 1  # `observe`, without a call
        took.sum += seconds
        costs, more = NO_COSTS, None
        if stats.calls or stats.cache != "none" or stats.fields:
            costs = self._look_closer(stats, route, called)
            more = _more_fields(stats)
        else:
            called.counts[0] += 1
        if status >= 500 and self._recent_errors is not None:
            self._recent_errors.failed(method, route, status, stats.error, stats.request_id)
        if before:
            now, us = time(), trunc(seconds * 1_000_000)
            if (second := trunc(now)) != self._second:
                self._second, self._opening = second, f'{{"time":"{logs.to_the_second(second)}'
            line = (
                f"{self._opening}{THOUSANDTHS[trunc((now - second) * 1000)]}{before}"
                f'{stats.request_id}","trace_id":"{trace_id}{between}'
                f"{us // 1000}{THOUSANDTHS[us % 1000]}{costs}{stats.bytes_out}"
                f',"error":"{stats.error}"{_who(client and client[0], stats.subject)}'
                f',"outcome":"{outcome}"}}\n'
            )
            if more or self._as_text:
                fields = json.loads(line)
                line = self._format(fields | (more or {}) | fields)  # none of these is replaced
            self._write_line(line)

    def _look_closer(self, stats: RequestStats, route: str, called: Histogram) -> str:
        """Count calls and cache results; return their part of the line."""
        calls, ms = stats.total("db")
        called.observe(calls)
        labels = {"http_route": route}
        if stats.cache != "none":
            self.metrics.count("cache_requests_total", labels | {"result": stats.cache})
        if not calls:
            return COSTS % (0, 0, 0, stats.cache)
        operations = self.metrics.histogram(DB_SECONDS, DURATION_BUCKETS, labels)
        for kind, each_ms, _ in stats.calls:
            if kind == "db":
                operations.observe(each_ms / 1000)
        statement, repeats = stats.statements()[0]
        if repeats >= MANY_REPEATS:
            fields = {"statement": statement, "repeats": repeats}
            log.warning("one statement ran many times in one request", extra=fields)
            if self._recent_errors is not None:
                self._recent_errors.repeated(route, statement, repeats, stats.request_id)
        return COSTS % (calls, ms, repeats, stats.cache)

    def _prepare(self, method: str, route: str, status: int) -> Prepared:
        if method not in METHODS:
            method = OTHER_METHOD
        histogram, labels = self.metrics.histogram, {"http_route": route}
        counted = {"http_request_method": OTHER_METHOD if route == UNMATCHED else method}
        counted |= labels | {"http_response_status_code": str(status)}
        level = logging.ERROR if status >= 500 else logging.INFO
        logged = level >= self._level and (status >= 400 or route not in POLLED)
        name, path = logging.getLevelName(level).lower(), json.dumps(route)
        prepared = Prepared(
            f'Z","level":"{name}","event":"request","request_id":"' if logged else "",
            f'","method":"{method}","route":{path},"status":{status},"duration_ms":',
            histogram("http_server_request_duration_seconds", DURATION_BUCKETS, counted),
            histogram("http_server_request_db_calls", CALL_BUCKETS, labels),
        )
        if method != OTHER_METHOD:  # clients can invent any number of them
            self._prepared[method, route, status] = prepared
        return prepared


@lru_cache(maxsize=1_024)
def _who(client: str | None, subject: str) -> str:
    """The fields of the caller, cut: a proxy passes on what X-Forwarded-For held."""
    address, name = json.dumps((client or "")[:MAX_TEXT]), json.dumps(subject[:MAX_TEXT])
    return f',"client":{address},"subject":{name}'


def _more_fields(stats: RequestStats) -> dict[str, object]:
    """The fields of the line that only some requests have."""
    more = dict(stats.fields or {})
    for kind, (calls, ms) in stats.totals().items():
        if kind != "db" and (kind != "pool_wait" or ms >= NOTICED_MS):
            more |= {f"{kind}_calls": calls, f"{kind}_ms": round(ms, 3)}
    if stats.cache_reason:
        more["cache_reason"] = stats.cache_reason
    return more
