"""The lag of the event loop: how late timers run in this process.

Code that blocks (a slow loop, a driver without `await`) delays every request at once.
"""

import asyncio
import os

from vitals.dependency import Check, CheckFailed

EVERY_SECONDS = 0.1
MAX_LAG_SECONDS = 0.5
REMEDY = "Find the code that blocks: the stacks of all threads show it. Restart if it persists."


class EventLoop:
    """Measures the lateness of a timer that is due ten times a second."""

    name = "event_loop"

    def __init__(self) -> None:
        self.dumps_stacks = False  # at SIGUSR1, which otherwise ends the process
        self._worst = 0.0
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        self._await_next()

    def checks(self) -> list[Check]:
        return [Check(self.name, self._probe, REMEDY)]

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def gauges(self) -> dict[str, float]:
        """The greatest lateness since the check before last."""
        return {"event_loop_lag_seconds": max(self._worst, self._last)}

    def _await_next(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + EVERY_SECONDS
        self._timer = loop.call_at(due, self._measure, due)

    def _measure(self, due: float) -> None:
        self._worst = max(self._worst, asyncio.get_running_loop().time() - due)
        self._await_next()

    async def _probe(self) -> None:
        self._last, self._worst = self._worst, 0.0
        if self._last > MAX_LAG_SECONDS:
            how = f": kill -USR1 {os.getpid()} logs the stacks" if self.dumps_stacks else ""
            raise CheckFailed(
                f"the event loop was blocked for {self._last:.2f} s; expected at most "
                f"{MAX_LAG_SECONDS:g} s; fix: find what blocks{how}"
            )
