"""The access log: one line and the metrics of each request and unit, written when it is over.

What depends on method, route and status alone is prepared once, so that a request costs a
look-up, a few list elements and one text.
"""

import json
import logging
from bisect import bisect_left
from collections.abc import Callable, Mapping
from math import trunc
from time import time
from typing import Any, NamedTuple

from vitals.observability import logs
from vitals.observability.line_fields import more_fields, who
from vitals.observability.metric_types import CALL_BUCKETS, DURATION_BUCKETS, Histogram
from vitals.observability.metrics import Metrics
from vitals.observability.recent_errors import RecentErrors
from vitals.observability.route_label import UNMATCHED
from vitals.probes import POLLED, under
from vitals.request_stats import MAX_TEXT, RequestStats

METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
OTHER_METHOD = "_OTHER"
MANY_REPEATS = 10  # of one statement in one request: one query for each row of another
COSTS = ',"db_calls":%d,"db_ms":%.3f,"db_repeats":%d,"cache":"%s","bytes_out":'
NOTHING: Mapping[str, object] = {}
NO_COSTS = COSTS % (0, 0, 0, "none")
THOUSANDTHS = tuple(f".{number:03d}" for number in range(1000))
DB_SECONDS = "db_client_operation_duration_seconds"
CALL_SECONDS = "dependency_call_duration_seconds"
DATABASES_OWN = ("db_failed", "db_connect", "pool_wait")  # on the line only
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
        recent_errors: RecentErrors | None = None,
        prefix: str = "",
        write: Callable[[str], None] = logs.stdout.write,
    ) -> None:
        self.metrics = metrics
        self._write_line = write
        self._format = logs.FORMATS[log_format]
        self._as_text = log_format == "text"
        self._level = logging.getLevelNamesMapping()[log_level.upper()]
        self._recent_errors, self._polled = recent_errors, under(prefix, POLLED)
        self._second, self._opening = 0, ""
        self.prepared: dict[tuple[str, str, int], Prepared] = {}

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
        counted_seconds: float = 0,
    ) -> None:
        """Write the line of a request and count it; `outcome` is how its answer ended.

        A stream is counted with `counted_seconds`, those until its first byte.
        """
        prepared = self.prepared.get((method, route, status))
        before, between, took, called = prepared or self._prepare(method, route, status)
        counted_seconds = counted_seconds or seconds
        took.counts[bisect_left(DURATION_BUCKETS, counted_seconds)] += 1  # `observe`, in line
        took.total[0] += counted_seconds
        costs, more = NO_COSTS, NOTHING
        if stats.calls or stats.cache != "none" or stats.fields:
            counted = self._count_calls(stats, route)
            called.observe(counted[0])
            costs, more = COSTS % (*counted, stats.cache), more_fields(stats)
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
                f',"error":"{stats.error}"{who(client and client[0], stats.subject)}'
                f',"outcome":"{outcome}"}}\n'
            )
            if more:  # none of the line's own is replaced
                more = {name: v for name, v in more.items() if f"{json.dumps(name)}:" not in line}
            if self._as_text:
                line = self._format(json.loads(line) | more)
            elif more:
                line = f"{line[:-2]},{logs.as_json(more)[1:]}"
            self._write_line(line)

    def write_unit(
        self,
        event: str,
        stats: RequestStats,
        seconds: float,
        outcome: str,
        fields: Mapping[str, Any],
    ) -> None:
        """Write the line of a job, a task or a websocket, which `fields` name, and count it."""
        name = str(fields.get(event, ""))
        label = str(fields.get("route") or name)
        costs = json.loads(
            f"{{{COSTS[1:]}{stats.bytes_out}}}" % (*self._count_calls(stats, label), stats.cache)
        )
        level = logging.ERROR if outcome == "error" else logging.INFO
        if name:
            labels = {"job": name, "outcome": outcome}
            self.metrics.histogram("job_duration_seconds", DURATION_BUCKETS, labels).observe(
                seconds
            )
        if level == logging.ERROR and self._recent_errors is not None:
            self._recent_errors.failed(event, label, 500, stats.error, stats.request_id)
        if level >= self._level:
            now = time()
            line = {
                "time": f"{logs.to_the_second(now)}{THOUSANDTHS[int(now % 1 * 1000)]}Z",
                "level": logging.getLevelName(level).lower(),
                "event": event,
                "request_id": stats.request_id,
                **fields,
                "duration_ms": round(seconds * 1000, 3),
                **costs,
                "error": stats.error,
                "subject": stats.subject[:MAX_TEXT],
                "outcome": outcome,
            }
            self._write_line(self._format(line | more_fields(stats) | line))

    def count_handshake(self, route: str, status: int, seconds: float) -> None:
        """Count the handshake of a websocket as the request that it is."""
        self._prepare("GET", route, status).seconds.observe(seconds)

    def _count_calls(self, stats: RequestStats, route: str) -> tuple[int, float, int]:
        """Count calls and cache results; return those of the database, their ms, the repeats."""
        labels = {"http_route": route}
        if stats.cache != "none":
            self.metrics.count("cache_requests_total", labels | {"result": stats.cache})
        calls, in_all, statements = 0, 0.0, None
        for kind, ms, detail in stats.calls:
            if kind == "db":
                calls, in_all = calls + 1, in_all + ms
                if statements is None:
                    statements = self.metrics.histogram(DB_SECONDS, DURATION_BUCKETS, labels)
                statements.observe(ms / 1000)
            elif kind not in DATABASES_OWN:
                of = {"kind": kind, "dependency": detail[:MAX_TEXT]}
                self.metrics.histogram(CALL_SECONDS, DURATION_BUCKETS, of).observe(ms / 1000)
        statement, repeats = next(iter(stats.statements() if calls else ()), ("", 0))
        if repeats >= MANY_REPEATS:
            fields = {"statement": statement, "repeats": repeats}
            log.warning("one statement ran many times in one request", extra=fields)
            if self._recent_errors is not None:
                self._recent_errors.repeated(route, statement, repeats, stats.request_id)
        return calls, in_all, repeats

    def _prepare(self, method: str, route: str, status: int) -> Prepared:
        if method not in METHODS:
            method = OTHER_METHOD
        histogram, labels = self.metrics.histogram, {"http_route": route}
        counted = {"http_request_method": OTHER_METHOD if route == UNMATCHED else method}
        counted |= labels | {"http_response_status_code": str(status)}
        level = logging.ERROR if status >= 500 else logging.INFO
        logged = level >= self._level and (status >= 400 or route not in self._polled)
        name, path = logging.getLevelName(level).lower(), json.dumps(route)
        prepared = Prepared(
            f'Z","level":"{name}","event":"request","request_id":"' if logged else "",
            f'","method":"{method}","route":{path},"status":{status},"duration_ms":',
            histogram("http_server_request_duration_seconds", DURATION_BUCKETS, counted),
            histogram("http_server_request_db_calls", CALL_BUCKETS, labels),
        )
        if method != OTHER_METHOD:  # clients can invent any number of them
            self.prepared[method, route, status] = prepared
        return prepared
