"""Statistics of one route over a span of time: counts, rates and quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass

from vitals.observability.metric_types import DURATION_BUCKETS


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
