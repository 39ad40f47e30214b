"""Is it a difference, or chance? A bootstrap over rounds in which both sides took turns."""

import random
import statistics
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

CONFIDENCE = 0.95  # of all rows together
SMALLEST = 0.05  # of what was before; less is nobody's business
RESAMPLES = 400
NONE = "no difference seen"

Round = tuple[list[float], list[float]]  # what each side showed in one round


class Difference(NamedTuple):
    before: float
    after: float
    low: float  # of after - before
    high: float
    seen: bool

    def verdict(self) -> str:
        """What came out, in words; percent are of what was before."""
        if not self.seen:
            return NONE
        if not self.before:
            return f"new, 95 % interval {self.low:+.3g} to {self.high:+.3g}"
        change, low, high = (
            f"{100 * part / self.before:+.0f}"
            for part in (self.after - self.before, self.low, self.high)
        )
        return f"{change} %, 95 % interval {low} to {high} %"


def between(
    rounds: Sequence[Round], of_many: Callable[[Sequence[float]], float], rows: int
) -> Difference:
    """Compare one vital of both sides; the interval is corrected for the number of rows.

    Whole rounds are drawn: what disturbs a round disturbs both sides. The interval is normal by
    the deviation of the resamples: corrected for many rows (Bonferroni), its ends are too rare to
    be counted.
    """

    def both(drawn: Sequence[Round]) -> tuple[float, float]:
        before, after = zip(*drawn, strict=True)
        return of_many(list(chain(*before))), of_many(list(chain(*after)))

    chance = random.Random(1)  # noqa: S311  the same data, the same verdict
    before, after = both(rounds)
    resampled = [both(chance.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES)]
    deviation = statistics.stdev(b - a for a, b in resampled)
    reach = deviation * student(1 - (1 - CONFIDENCE) / rows / 2, len(rounds) - 1)
    low, high = after - before - reach, after - before + reach
    is_large = abs(after - before) > SMALLEST * before
    return Difference(before, after, low, high, is_large and not low <= 0 <= high)


def levelled(rounds: Sequence[Round]) -> list[Round]:
    """Make all rounds equally busy: scale each, both sides alike, to the middle of all rounds.

    For middles only: a tail is made of the busy rounds.
    """
    middles = [statistics.median([*before, *after]) for before, after in rounds]
    whole = statistics.median(middles)
    scales = [whole / middle if middle else 1.0 for middle in middles]
    return [
        ([value * scale for value in before], [value * scale for value in after])
        for (before, after), scale in zip(rounds, scales, strict=True)
    ]


def student(share: float, freedom: int) -> float:
    """The quantile of Student's t (Abramowitz and Stegun, 26.7.5); few rounds know little."""
    z = statistics.NormalDist().inv_cdf(share)
    once = (z**3 + z) / (4 * freedom)
    return z + once + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
