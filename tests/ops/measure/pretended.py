"""A service that costs what a test says."""

import itertools
import random
from collections.abc import Sequence

from vitals.ops.measure.load import Request
from vitals.ops.measure.vitals import Cost


class Pretended:
    """Reads of an item come from the cache, unless it was cleared before; lists never do."""

    caches = True

    def __init__(self, ms: float, status: int = 200) -> None:
        self.cleared: list[str] = []
        self.closed = False
        self._ms = ms
        self._status = status
        self._chance = random.Random(ms)
        self._numbers = itertools.count()
        self._costs: dict[str, Cost] = {}
        self._cold = False

    def ask(self, _: Request) -> int:
        return self._status

    def measured(self, request: Request) -> str:
        name = str(next(self._numbers))
        ms = self._ms * self._chance.uniform(0.9, 1.1)
        cache = "none" if "?" in request.path else "miss" if self._cold else "hit"
        self._costs[name] = Cost(ms, 200, cache, int(cache != "hit"), ms / 2)
        self._cold = False
        return name

    def forget(self, features: Sequence[str]) -> None:
        self.cleared += features
        self._cold = True

    def costs(self) -> dict[str, Cost]:
        return self._costs

    def close(self) -> None:
        self.closed = True
