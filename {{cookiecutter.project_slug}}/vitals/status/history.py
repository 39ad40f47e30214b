"""What did each route cost in the last 15 minutes?

It reads the very series that a scraper reads, so the page can't tell another story than the
alerts, and a request pays nothing for it. Kept are the totals at the end of each slot: 250 routes
take 1.3 MB, and what comes after them is added up in one.
"""

import asyncio
import re
import time
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from operator import add

from vitals.status.recent_errors import WATCHING
from vitals.status.route_stats import Cost

SLOTS = 60
SLOT_SECONDS = 15.0
MAX_ROUTES = 250
OTHERS = "__other__"
MOST = 2**32 - 1  # the totals go round like a clock: differences stay right
ROUTE = re.compile(r'http_route="((?:[^"\\]|\\.)*)"')
ESCAPED = re.compile(r"\\(.)")
# A route's row: its requests by duration, then these.
ERRORS, DB_CALLS, STATEMENTS, STATEMENT_US, CACHE_ASKED, CACHE_HITS = range(-6, 0)

# Name, labels as in the text format, the buckets of a histogram, its sum or the value.
Series = Iterable[tuple[str, str, Sequence[int], float]]
Totals = tuple[float, "array[int]"]  # when, and the rows of all routes, one behind the other


class History:
    """Reads the metrics' `series` every 15 s and when it is asked. `bounds` are its buckets'."""

    def __init__(self, series: Callable[[], Series], bounds: Sequence[float]) -> None:
        self.gauges: dict[str, float] = {}
        self._series = series
        self._bounds = tuple(bounds)
        self._zeros = [0] * (len(bounds) + 1 - ERRORS)
        self._places: dict[str, int] = {}
        self._now: Totals = time.monotonic(), array("I")
        self._past = deque([self._now] * SLOTS, maxlen=SLOTS)
        self._ticking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to keep."""
        self._ticking = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """Keep no more."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])

    def update(self) -> None:
        """Read what was counted until now."""
        rows = defaultdict[str, list[int]](self._zeros.copy)
        for name, labels, counts, value in self._series():
            if found := ROUTE.search(labels):
                _add(rows[self._known(found[1])], name, labels, counts, value)
            elif not labels:
                self.gauges[name] = value
        numbers = chain.from_iterable(rows[route] for route in self._places)
        self._now = time.monotonic(), array("I", [number & MOST for number in numbers])

    def advance(self) -> None:
        """Begin a new slot, and forget the oldest."""
        self._past.append(self._now)

    def totals(self) -> dict[str, Cost]:
        """The cost of each route that was asked in the window, but for those that watch us."""
        totals = {name: self.total(name) for name in self._places if name not in WATCHING}
        return {name: cost for name, cost in totals.items() if cost.requests}

    def total(self, route: str, slots: int = SLOTS) -> Cost:
        """What a route cost in the last slots together; fewer if the service is younger."""
        return self._cost(route, self._past[-slots], self._now)

    def points(self, route: str) -> list[Cost]:
        """What a route cost in each slot of 15 s, the oldest first."""
        return [self._cost(route, *ends) for ends in pairwise((*self._past, self._now))]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(SLOT_SECONDS)
            self.update()
            self.advance()

    def _known(self, label: str) -> str:
        route = ESCAPED.sub(r"\1", label)
        if route not in self._places and len(self._places) >= MAX_ROUTES:
            route = OTHERS
        self._places.setdefault(route, len(self._places))
        return route

    def _cost(self, route: str, begin: Totals, end: Totals) -> Cost:
        first = self._places[route] * len(self._zeros)
        place = slice(first, first + len(self._zeros))
        before, after = (numbers[place] or self._zeros for _, numbers in (begin, end))
        row = [(n - m) & MOST for m, n in zip(before, after, strict=True)]
        return Cost(self._bounds, row[:ERRORS], *row[ERRORS:], seconds=max(1.0, end[0] - begin[0]))


def _add(row: list[int], name: str, labels: str, counts: Sequence[int], value: float) -> None:
    if name == "http_server_request_duration_seconds":
        row[: len(counts)] = map(add, row, counts)
        row[ERRORS] += sum(counts) if 'http_response_status_code="5' in labels else 0
    elif name == "http_server_request_db_calls":
        row[DB_CALLS] += int(value)
    elif name == "db_client_operation_duration_seconds":
        row[STATEMENTS] += sum(counts)
        row[STATEMENT_US] += int(value * 1_000_000)
    elif name == "cache_requests_total":
        row[CACHE_ASKED] += int(value)
        row[CACHE_HITS] += int(value) if 'result="hit"' in labels else 0
