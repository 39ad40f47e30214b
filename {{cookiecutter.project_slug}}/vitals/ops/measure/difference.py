"""Statistics of a comparison: a bootstrap over the rounds in which both services took turns."""

import random
import statistics
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from vitals.ops.measure.vitals import Vital

CONFIDENCE = 0.95  # of all rows together
SMALLEST = 0.05  # of what was before; a smaller change is not reported
RESAMPLES = 400
NONE = "no difference seen"

Round = tuple[list[float], list[float]]  # the values of both services in one round


class Row(NamedTuple):
    """One vital of both services; low and high are the ends of the interval of after - before."""

    metric: str
    unit: str
    before: float
    after: float
    low: float
    high: float
    seen: bool
    better: bool

    @property
    def verdict(self) -> str:
        """The outcome in words; percent are of what was before."""
        if not self.seen:
            return NONE
        if not self.before:
            return f"new, 95 % interval {self.low:+.3g} to {self.high:+.3g}"
        change, low, high = (
            f"{100 * part / self.before:+.0f}"
            for part in (self.after - self.before, self.low, self.high)
        )
        return f"{change} %, 95 % interval {low} to {high} %"


def summary(rows: Sequence[Row]) -> str:
    seen = sum(row.seen for row in rows)
    return f"{seen} of {len(rows)} differ" if seen else NONE


def between(metric: str, vital: Vital, rounds: Sequence[Round], rows: int) -> Row:
    """Compare one vital of both services; the interval is corrected for the number of rows.

    Whole rounds are drawn: other load in a round affects both. The interval is normal by the
    deviation of the resamples: corrected for many rows (Bonferroni), its ends are too rare to be
    counted.
    """

    def both(drawn: Sequence[Round]) -> tuple[float, float]:
        before, after = zip(*drawn, strict=True)
        return vital.of_many(list(chain(*before))), vital.of_many(list(chain(*after)))

    chance = random.Random(1)  # noqa: S311  the same data, the same verdict
    before, after = both(rounds)
    resampled = [both(chance.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES)]
    deviation = statistics.stdev(b - a for a, b in resampled)
    reach = deviation * t_quantile(1 - (1 - CONFIDENCE) / rows / 2, len(rounds) - 1)
    low, high = after - before - reach, after - before + reach
    seen = abs(after - before) > SMALLEST * before and not low <= 0 <= high
    better = seen and (after > before) == vital.more_is_better
    before, after, low, high = (round(value, 4) for value in (before, after, low, high))
    return Row(metric, vital.unit, before, after, low, high, seen, better)


def rescaled(rounds: Sequence[Round]) -> list[Round]:
    """Make all rounds equally busy: scale each, both services alike, to the median of all rounds.

    For medians only: a tail is made of the busy rounds.
    """
    medians = [statistics.median([*before, *after]) for before, after in rounds]
    whole = statistics.median(medians)
    scales = [whole / median if median else 1.0 for median in medians]
    return [
        ([value * scale for value in before], [value * scale for value in after])
        for (before, after), scale in zip(rounds, scales, strict=True)
    ]


def t_quantile(share: float, freedom: int) -> float:
    """Return the quantile of Student's t (Abramowitz and Stegun, 26.7.5): few rounds, wide."""
    z = statistics.NormalDist().inv_cdf(share)
    once = (z**3 + z) / (4 * freedom)
    return z + once + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
