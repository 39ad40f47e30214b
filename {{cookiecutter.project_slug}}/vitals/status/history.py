"""The last 15 minutes of each route, read from the metrics.

It reads the same series as a scraper, so the page and the alerts agree, at no extra cost
for a request. It keeps the totals at the end of each slot: 250 routes take 1.3 MB; further routes
are added up in one.
"""

import asyncio
import json
import re
import time
from array import array
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from operator import add

from vitals.observability.metric_types import DURATION_BUCKETS
from vitals.probes import POLLED, under
from vitals.service import Service, repeat

SLOTS = 60
SLOT_SECONDS = 15.0
MAX_ROUTES = 250
AT_A_TIME = 100  # series read before requests get their turn
OTHERS = "__other__"
MAX_TOTAL = 2**32 - 1  # totals wrap around; differences stay right
ROUTE = re.compile(r'(?:http_route|job)="((?:[^"\\]|\\.)*)"')
IS_ERROR = re.compile('http_response_status_code="5|outcome="error')
ESCAPED = re.compile(r"\\(.)")
# A route's row: its requests by duration, then these.
ERRORS, DB_CALLS, STATEMENTS, STATEMENT_US, CACHE_LOOKUPS, CACHE_HITS = range(-6, 0)

Totals = tuple[float, "array[int]"]  # the time, and the rows of all routes, one after the other


@dataclass(frozen=True, slots=True)
class RouteStats:
    """Sums over `seconds`; `buckets` count the requests by duration."""

    buckets: Sequence[int]
    errors: int
    db_calls: int
    statements: int
    statement_us: int
    cache_lookups: int
    cache_hits: int
    seconds: float

    @property
    def requests(self) -> int:
        return sum(self.buckets)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def statement_ms(self) -> float:
        """The mean time of a statement; 0 without one."""
        return self.statement_us / max(1, self.statements) / 1000

    def slower_than(self, bound: float) -> int:
        """Return how many requests took longer than one of the bounds, in seconds."""
        return sum(self.buckets[DURATION_BUCKETS.index(bound) + 1 :])

    def quantile_ms(self, share: float) -> float | None:
        """Return the duration that this share of the requests stays below; None without a request.

        Interpolates within a bucket, as Prometheus does; above the last bound it is that bound.
        """
        if not self.requests:
            return None
        rank, seen, lower = share * self.requests, 0, 0.0
        for count, upper in zip(self.buckets, DURATION_BUCKETS, strict=False):
            if count and seen + count >= rank:
                return round((lower + (upper - lower) * (rank - seen) / count) * 1000, 1)
            seen, lower = seen + count, upper
        return DURATION_BUCKETS[-1] * 1000


class History:
    """Reads the series of a service every 15 s and on demand.

    `prefix` is the path before the engine's own routes, which are left out. A worker that starts
    later begins with the history of the first one.
    """

    def __init__(self, service: Service, prefix: str = "") -> None:
        self.gauges: dict[str, float] = {}
        self._service = service
        self._ignored = under(prefix, POLLED)
        self._zeros = [0] * (len(DURATION_BUCKETS) + 1 - ERRORS)
        self._rows: dict[str, int] = {}
        self._now: Totals = time.monotonic(), array("I")
        self._past = deque([self._now] * SLOTS, maxlen=SLOTS)
        self._ticking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._service.refresh()
        self.update()  # what was counted before is no traffic of now
        self._past = deque([self._now] * SLOTS, maxlen=SLOTS)
        self._load(self._service.read_history())
        self._ticking = asyncio.create_task(repeat(self._tick, SLOT_SECONDS))

    async def close(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])

    def update(self) -> None:
        for _ in self._read():
            pass

    def _read(self) -> Iterator[None]:
        """Read the totals in pieces: 10,000 series in one go would hold the loop for 5 ms."""
        rows = defaultdict[str, list[int]](self._zeros.copy)
        for number, (name, labels, _, counts, value) in enumerate(self._service.series(), 1):
            if number % AT_A_TIME == 0:
                yield
            if found := ROUTE.search(labels):
                _add(rows[self._known(found[1])], name, labels, counts, value)
            elif not labels:
                self.gauges[name] = value
        numbers = chain.from_iterable(rows[route] for route in self._rows)
        self._now = time.monotonic(), array("I", [number & MAX_TOTAL for number in numbers])

    def advance(self) -> None:
        """Start a new slot and drop the oldest."""
        self._past.append(self._now)
        self._service.write_history(self._dump)

    def totals(self) -> dict[str, RouteStats]:
        """Return the statistics of each route that had requests in the window."""
        totals = {name: self.total(name) for name in self._rows if name not in self._ignored}
        return {name: stats for name, stats in totals.items() if stats.requests}

    def total(self, route: str, slots: int = SLOTS) -> RouteStats:
        """Return a route's statistics over the last slots; fewer if the service is younger."""
        return self._between(route, self._past[-slots], self._now)

    def points(self, route: str) -> list[RouteStats]:
        """Return a route's statistics for each slot of 15 s, the oldest first."""
        return [self._between(route, *ends) for ends in pairwise((*self._past, self._now))]

    async def _tick(self) -> None:
        await self._service.refresh()
        for _ in self._read():
            await asyncio.sleep(0)
        self.advance()

    def _dump(self) -> bytes:
        past = [(when, totals.tobytes().hex()) for when, totals in self._past]
        return json.dumps([[*self._rows], past]).encode()

    def _load(self, content: bytes | None) -> None:
        """Go on with the history that another worker wrote, unless it is too old."""
        names, past = json.loads(content) if content else ([], [])
        if past and 0 <= time.monotonic() - past[-1][0] < SLOTS * SLOT_SECONDS:
            self._rows = {name: number for number, name in enumerate(names)}
            self._past.extend((when, array("I", bytes.fromhex(totals))) for when, totals in past)

    def _known(self, label: str) -> str:
        route = ESCAPED.sub(r"\1", label)
        if route not in self._rows and len(self._rows) >= MAX_ROUTES:
            route = OTHERS
        self._rows.setdefault(route, len(self._rows))
        return route

    def _between(self, route: str, begin: Totals, end: Totals) -> RouteStats:
        first = self._rows[route] * len(self._zeros)
        place = slice(first, first + len(self._zeros))
        before, after = (numbers[place] or self._zeros for _, numbers in (begin, end))
        row = [(n - m) & MAX_TOTAL for m, n in zip(before, after, strict=True)]
        seconds = max(1.0, end[0] - begin[0])
        return RouteStats(row[:ERRORS], *row[ERRORS:], seconds=seconds)


def _add(row: list[int], name: str, labels: str, counts: Sequence[int], value: float) -> None:
    if name in ("http_server_request_duration_seconds", "job_duration_seconds"):
        row[: len(counts)] = map(add, row, counts)
        row[ERRORS] += sum(counts) if IS_ERROR.search(labels) else 0
    elif name == "http_server_request_db_calls":
        row[DB_CALLS] += int(value)
    elif name == "db_client_operation_duration_seconds":
        row[STATEMENTS] += sum(counts)
        row[STATEMENT_US] += int(value * 1_000_000)
    elif name == "cache_requests_total":
        row[CACHE_LOOKUPS] += int(value)
        row[CACHE_HITS] += int(value) if 'result="hit"' in labels else 0
