"""Samples of /metrics: what a process has counted for each route since its start.

The counts of a route are totals: "requests", "errors" (500 and above), "seconds 0.25" (answers
within that bound) and "calls 3" (requests with at most 3 database calls); "inf" is the last bound.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vitals.probes import POLLED

OPERATORS = (*POLLED, "/docs", "/openapi.json", "/cache/{feature}")
DURATION, DB_CALLS = "http_server_request_duration_seconds", "http_server_request_db_calls"
MEMORY, STARTED = "process_resident_memory_bytes", "process_start_time_seconds"
LINE = re.compile(
    rf"({DURATION}|{DB_CALLS}|{MEMORY}|{STARTED})(_bucket|_count)?(?:{{(.*)}})? (\S+)"
)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Routes = dict[str, Counter[str]]


class Sample(NamedTuple):
    """One process, or several together: sums, the largest memory, the last start (Unix time)."""

    routes: Routes
    memory_bytes: float = 0
    started: float = 0


def read(text: str) -> Sample:
    """Return what a text of /metrics says; probes and operators' paths are left out."""
    routes, gauges = Routes(), {MEMORY: 0.0, STARTED: 0.0}
    for found in filter(None, map(LINE.fullmatch, text.splitlines())):
        name, part, written, value = found.groups()
        labels = dict(LABEL.findall(written or ""))
        if name in gauges:
            gauges[name] = float(value)
        elif (route := labels["http_route"]) not in OPERATORS:
            counts = routes.setdefault(route, Counter())
            if part == "_bucket":
                kind = "seconds" if name == DURATION else "calls"
                counts[f"{kind} {float(labels['le']):g}"] += int(value)
            elif name == DURATION:
                counts["requests"] += int(value)
                counts["errors"] += int(value) * (labels["http_response_status_code"] >= "500")
    return Sample(routes, gauges[MEMORY], gauges[STARTED])


def merged(samples: Iterable[Sample]) -> Sample:
    """Return the replicas of a side as one."""
    total = Sample({})
    for routes, memory, started in samples:
        add(total.routes, routes, {})
        total = Sample(total.routes, max(total[1], memory), max(total[2], started))
    return total


def add(to: Routes, now: Routes, before: Mapping[str, Counter[str]]) -> None:
    """Add what was counted between two samples; the counts of a route are replaced, not changed."""
    for route, counts in now.items():
        if (then := before.get(route)) != counts:
            to[route] = Counter(to.get(route, {}))
            to[route].update(counts)
            to[route].subtract(then or {})


def bounds(counts: Counter[str], kind: str) -> list[float]:
    return sorted(float(key.split()[1]) for key in counts if key.startswith(kind))


def within(counts: Counter[str], kind: str, share: float) -> float:
    """Return the lowest bound that at most `share` of the values exceed."""
    most = counts[f"{kind} inf"] * (1 - share)
    return next((b for b in bounds(counts, kind) if counts[f"{kind} {b:g}"] >= most), float("inf"))
