"""Health checks: one task runs all of them once a second and keeps the results.

/readyz reads memory and never waits for a dependency. A dependency brings its own checks.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from vitals.dependency import Check, CheckFailed

INTERVAL_SECONDS = 1.0
DEADLINE_SECONDS = 1.0
STALE_SECONDS = 5.0
CHANGES_KEPT = 50
MAX_REASON = 200
PHASES = ("starting", "draining")  # states like those of checks
NO_LIFESPAN = "no check has run: the server starts the lifespan later, or not at all"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckState:
    """The last result of one check, and since when the result is the same."""

    name: str
    required: bool
    up: bool
    reason: str = ""
    duration_seconds: float = 0.0
    since: datetime = field(default_factory=partial(datetime.now, UTC))
    last_ok: datetime | None = None
    remedy: str = ""
    checked_at: float = field(default_factory=time.monotonic)  # the wall clock may jump

    @property
    def status(self) -> str:
        """pass, warn (the service works without it) or fail."""
        return "pass" if self.up else "fail" if self.required else "warn"

    def current(self) -> "CheckState":
        """This state; a stale pass is replaced by a failure."""
        if not self.up or time.monotonic() - self.checked_at <= STALE_SECONDS:
            return self
        return replace(self, up=False, reason=f"no result for {STALE_SECONDS:g} s")

    def as_dict(self) -> dict[str, object]:
        """What operators see of it, for JSON."""
        fields: dict[str, object] = {
            "name": self.name,
            "status": self.status,
            "required": self.required,
            "since": self.since.isoformat(),
            "last_ok": self.last_ok and self.last_ok.isoformat(),
            "observedValue": round(self.duration_seconds * 1000, 1),
            "observedUnit": "ms",
        }
        return fields | ({"output": self.reason} if self.reason else {})


class Checks:
    """All checks of this process, and whether it is ready.

    Starting and draining are states like those of the checks: required, and not up.
    """

    def __init__(self, checks: Iterable[Check], required: Collection[str]) -> None:
        self._checks: dict[str, Check] = {}
        for check in checks:
            if self._checks.setdefault(check.name, check) is not check:
                fix = "Fix: set another `name`, such as that of what is behind it"
                raise ValueError(f"checks: two have the name {check.name!r}. {fix}")
        if unknown := set(required) - set(self._checks):
            known = sorted(self._checks)
            raise ValueError(f"required: no such check: {sorted(unknown)}; there are {known}")
        self._required = required
        self._states = {"starting": CheckState("starting", True, False, NO_LIFESPAN)}
        self._changes: deque[CheckState] = deque(maxlen=CHANGES_KEPT)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._polling: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Run every check once; when this returns, the state of each is known."""
        await self._run_all()
        for phase in PHASES:  # the latter of an earlier run of this application
            self._states.pop(phase, None)
        self._polling = asyncio.create_task(self._poll())

    async def close(self) -> None:
        tasks = [*self._running.values(), *filter(None, [self._polling])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=DEADLINE_SECONDS)

    def drain(self) -> None:
        """Report not ready from now on, while requests are still answered."""
        self._states["draining"] = CheckState("draining", True, False, "SIGTERM was received")
        self._changes.append(self._states["draining"])

    def states(self) -> list[CheckState]:
        return [state.current() for state in self._states.values()]

    def failing(self) -> list[str]:
        """The names of the required checks that fail: none when the service is ready."""
        states = self._states.values()
        return [s.name for s in states if s.required and not s.current().up]

    def changes(self) -> list[CheckState]:
        """The last changes, newest first."""
        return list(reversed(self._changes))

    async def _poll(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + INTERVAL_SECONDS, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            await self._run_all()

    async def _run_all(self) -> None:
        """Run all at once. One that hangs is cancelled, and not run again before it has ended."""
        started = time.monotonic()
        for name, check in self._checks.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = asyncio.create_task(self._run(check, started))
        if not self._running:
            return
        _, late = await asyncio.wait(self._running.values(), timeout=DEADLINE_SECONDS)
        for name, task in self._running.items():
            if task in late:
                task.cancel()
                self._store(name, f"no result within {DEADLINE_SECONDS:g} s", started)

    async def _run(self, check: Check, started: float) -> None:
        reason = ""
        try:
            await check.probe()
        except CheckFailed as failure:
            reason = str(failure)
        except Exception as error:  # any error is the result of the check
            reason = f"{type(error).__name__}: {error}"
        text = " ".join(reason.split()).encode(errors="backslashreplace").decode()
        self._store(check.name, text[:MAX_REASON], started)

    def _store(self, name: str, reason: str, started: float) -> None:
        required, remedy = name in self._required, self._checks[name].remedy
        now, before, up = datetime.now(UTC), self._states.get(name), not reason
        is_same = before is not None and before.up == up
        since = before.since if before and is_same else now
        last_ok = now if up else before.last_ok if before else None
        seconds = time.monotonic() - started
        state = CheckState(name, required, up, reason, seconds, since, last_ok, remedy)
        self._states[name] = state
        if is_same or (before is None and up):
            return
        self._changes.append(state)
        if before is not None and up:
            down_seconds = (now - before.since).total_seconds()
            log.info("check %s passes again after %.1f s", name, down_seconds)
        else:
            level = logging.ERROR if required else logging.WARNING
            log.log(level, "check %s: %s: %s", name, state.status, reason)
