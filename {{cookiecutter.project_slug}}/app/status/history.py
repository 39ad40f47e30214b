"""What did each route cost in the last 15 minutes?

The page reads the very text that a scraper reads, so it can't tell another story than the alerts,
and a request pays nothing for it. Kept are differences, in one ring of small numbers per route:
250 routes take 1.6 MB, and what comes after them is added up in one.
"""

import asyncio
import re
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from app.status.cost import Cost
from app.status.notes import WATCHING

SLOTS = 60
SLOT_SECONDS = 15.0
FRESH_SECONDS = 0.5  # however many look at the page
MAX_ROUTES = 250
OTHERS = "__other__"
MOST = 2**32 - 1
AT_A_TIME = 1_000  # lines read before other requests get their turn

BUCKET = "http_server_request_duration_seconds_bucket"
# A line's name -> its column after those of the buckets, and its scale.
COLUMNS = {
    "http_server_request_duration_seconds_count": (0, 1),  # of server errors only
    "http_server_request_db_calls_sum": (1, 1),
    "db_client_operation_duration_seconds_count": (2, 1),
    "db_client_operation_duration_seconds_sum": (3, 1_000_000),
    "cache_requests_total": (4, 1),
}
HITS = 5
ROUTE = re.compile(r'http_route="((?:[^"\\]|\\.)*)"')
ESCAPED = re.compile(r"\\(.)")


class History:
    """Reads the metrics, `text`, every 15 s and when it is asked. `bounds` are its buckets'."""

    def __init__(self, text: Callable[[], Awaitable[str]], bounds: Sequence[float]) -> None:
        self.gauges: dict[str, float] = {}
        self._opened = self._slot_began = time.monotonic()
        self._text = text
        self._bounds = tuple(bounds)
        self._buckets = {str(bound): at for at, bound in enumerate((*bounds, "+Inf"))}
        self._width = len(self._buckets) + HITS + 1
        self._rings: dict[str, array[int]] = {}
        self._totals: dict[str, list[int]] = {}
        self._slot = 0
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._ticking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to keep."""
        self._opened = self._slot_began = time.monotonic()
        self._ticking = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """Keep no more."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])

    async def update(self) -> None:
        """Read what was counted since the last time."""
        async with self._reading:
            if time.monotonic() - self._read_at < FRESH_SECONDS:
                return
            totals = await self._read(await self._text())
            self._read_at = time.monotonic()
            for route, counted in totals.items():
                self._add(route, counted)

    def routes(self) -> list[str]:
        """All routes that were asked in the window, but not those that watch the service."""
        return [route for route, ring in self._rings.items() if any(ring)]

    def total(self, route: str) -> Cost:
        """What a route cost in the whole window, or since the start."""
        ring = self._rings[route]
        columns = [sum(ring[at :: self._width]) for at in range(self._width)]
        span = self._since_slot() + (SLOTS - 1) * SLOT_SECONDS
        return self._cost(columns, min(span, time.monotonic() - self._opened))

    def points(self, route: str, slots: int = SLOTS) -> list[Cost]:
        """What a route cost in each of the last slots of 15 s, the oldest first."""
        ring, spans = self._rings[route], [self._since_slot(), *[SLOT_SECONDS] * (slots - 1)]
        return [self._cost(self._row(ring, age), spans[age]) for age in reversed(range(slots))]

    def advance(self) -> None:
        """Begin a new slot, and forget what the oldest held."""
        self._slot = (self._slot + 1) % SLOTS
        self._slot_began = time.monotonic()
        begin = self._slot * self._width
        for ring in self._rings.values():
            ring[begin : begin + self._width] = _zeros(self._width)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(SLOT_SECONDS - self._since_slot())
            await self.update()
            self.advance()

    def _since_slot(self) -> float:
        return time.monotonic() - self._slot_began

    def _row(self, ring: Sequence[int], age: int) -> Sequence[int]:
        begin = (self._slot - age) % SLOTS * self._width
        return ring[begin : begin + self._width]

    def _cost(self, row: Sequence[int], seconds: float) -> Cost:
        counted = len(self._buckets)
        return Cost(self._bounds, row[:counted], *row[counted:], seconds=max(1.0, seconds))

    def _add(self, route: str, counted: list[int]) -> None:
        if route not in self._rings:
            self._rings[route] = _zeros(self._width * SLOTS)
            self._totals[route] = [0] * self._width
        ring, before = self._rings[route], self._totals[route]
        begin = self._slot * self._width
        for at, total in enumerate(counted):
            ring[begin + at] = min(MOST, ring[begin + at] + max(0, total - before[at]))
        self._totals[route] = counted

    async def _read(self, text: str) -> dict[str, list[int]]:
        """Add up the lines by route."""
        totals: dict[str, list[int]] = {}
        row, begin = [0] * self._width, None
        for done, line in enumerate(text.splitlines()):
            if done % AT_A_TIME == 0:
                await asyncio.sleep(0)
            series, _, value = line.rpartition(" ")
            name, _, labels = series.partition("{")
            if name == BUCKET:
                labels, _, bound = labels.rpartition(',le="')
                if labels != begin:  # the buckets of one histogram follow each other
                    row, begin = self._row_of(labels, totals), labels
                row[self._buckets[bound[:-2]]] += int(value)
            elif name in COLUMNS:
                self._count(self._row_of(labels, totals), name, labels, float(value))
            elif not labels and not line.startswith("#"):
                self.gauges[name] = float(value)
        for row in totals.values():
            _apart(row, len(self._buckets))
        return {name: row for name, row in totals.items() if name not in WATCHING}

    def _row_of(self, labels: str, totals: dict[str, list[int]]) -> list[int]:
        found = ROUTE.search(labels)
        name = ESCAPED.sub(r"\1", found[1]) if found else OTHERS
        if name not in totals and len(totals) >= MAX_ROUTES:
            name = OTHERS  # the same ones each time: a scrape keeps its order
        return totals.setdefault(name, [0] * self._width)

    def _count(self, row: list[int], name: str, labels: str, value: float) -> None:
        column, scale = COLUMNS[name]
        first = len(self._buckets)
        if column or 'http_response_status_code="5' in labels:
            row[first + column] += int(value * scale)
        if 'result="hit"' in labels:
            row[first + HITS] += int(value)


def _zeros(length: int) -> "array[int]":  # Python 3.11 has no array[int] at run time
    return array("I", bytes(4 * length))


def _apart(row: list[int], buckets: int) -> None:
    """Take each bucket's own count from the running totals."""
    row[:buckets] = [n - m for m, n in pairwise((0, *row[:buckets]))]
