"""A service with given costs."""

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import httpx

from vitals.ops.measure.load import Request
from vitals.ops.measure.service import Service
from vitals.ops.measure.session import Session
from vitals.ops.measure.vitals import RequestCost


class Pretended(Service):
    """Reads of an item come from the cache, unless it was cleared before; lists never do."""

    def __init__(self, ms: float, status: int = 200) -> None:
        super().__init__(httpx.Client(), Path("no-log"), "", True, Session())
        self._costs: dict[str, RequestCost] = {}
        self.cleared: list[str] = []
        self._ms = ms
        self._status = status
        self._chance = random.Random(ms)
        self._numbers = itertools.count()
        self._cold = False

    def send(self, request: Request, headers: dict[str, str] | None = None) -> int:  # noqa: ARG002
        return self._status

    def measure(self, request: Request) -> str:
        name = str(next(self._numbers))
        ms = self._ms * self._chance.uniform(0.9, 1.1)
        cache = "none" if "?" in request.path else "miss" if self._cold else "hit"
        self._costs[name] = RequestCost(ms, self._status, cache, int(cache != "hit"), ms / 2)
        self._cold = False
        return name

    def costs(self) -> dict[str, RequestCost]:
        return dict(self._costs)  # what is measured later is not in it

    def clear_cache(self, features: Sequence[str]) -> None:
        self.cleared += features
        self._cold = True
