"""Can this service do its work, and since when?

One task asks all checks once a second, all at once, and keeps the answers: a probe reads memory
and never waits for what lies outside. A new check is given by the resource that it asks about.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

INTERVAL_SECONDS = 1.0
DEADLINE_SECONDS = 1.0
STALE_SECONDS = 5.0
CHANGES_KEPT = 50
MAX_REASON = 200

log = logging.getLogger(__name__)


class Unfit(Exception):
    """Raised by a probe whose answer is no; the text is the whole reason."""


@dataclass(frozen=True)
class Check:
    """A question about one thing; `probe` raises if the answer is no.

    It has DEADLINE_SECONDS. `remedy` says to somebody who was woken what to do if it is no.
    """

    name: str
    probe: Callable[[], Awaitable[object]]
    remedy: str = ""


@dataclass(frozen=True)
class State:
    """What is known of one check, and since when its answer is the same."""

    name: str
    required: bool
    up: bool
    reason: str = ""
    duration_seconds: float = 0.0
    since: datetime = field(default_factory=partial(datetime.now, UTC))
    last_ok: datetime | None = None
    remedy: str = ""
    taken: float = field(default_factory=time.monotonic)  # the wall clock may jump

    @property
    def status(self) -> str:
        """pass, warn (the service works without it) or fail."""
        return "pass" if self.up else "fail" if self.required else "warn"

    @property
    def stale(self) -> bool:
        """A yes that is too old is no yes."""
        return self.up and time.monotonic() - self.taken > STALE_SECONDS

    def shown(self) -> dict[str, object]:
        """What operators see of it in JSON."""
        shown: dict[str, object] = {
            "name": self.name,
            "status": self.status,
            "required": self.required,
            "since": self.since.isoformat(),
            "last_ok": self.last_ok and self.last_ok.isoformat(),
            "observedValue": round(self.duration_seconds * 1000, 1),
            "observedUnit": "ms",
        }
        return shown | ({"output": self.reason} if self.reason else {})


class Checks:
    """All checks of this process and what they mean together.

    Starting and draining are states like those of the checks: required, and not up.
    """

    def __init__(self, checks: Iterable[Check], required: Collection[str]) -> None:
        self._checks = {check.name: check for check in checks}
        if unknown := set(required) - set(self._checks):
            raise ValueError(f"required, but nothing has such a check: {sorted(unknown)}")
        self._required = required
        self._states = {"starting": State("starting", True, False, "not every check has answered")}
        self._changes: deque[State] = deque(maxlen=CHANGES_KEPT)
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Run the first round; when this returns, the state of each check is known."""
        await self._round()
        del self._states["starting"]
        self._asking = asyncio.create_task(self._ask_on())

    async def close(self) -> None:
        """Stop asking."""
        tasks = [*self._asked.values(), *filter(None, [self._asking])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=DEADLINE_SECONDS)

    def drain(self) -> None:
        """Be not ready from now on, while requests are still answered."""
        self._states["draining"] = State("draining", True, False, "told to stop")
        self._changes.append(self._states["draining"])

    def states(self) -> list[State]:
        """What is known of each check now."""
        late = f"no answer for {STALE_SECONDS:g} s"
        states = self._states.values()
        return [replace(s, up=False, reason=late) if s.stale else s for s in states]

    def failing(self) -> list[str]:
        """The names of what keeps this service from its work: empty when it is ready."""
        states, oldest = self._states.values(), time.monotonic() - STALE_SECONDS
        return [s.name for s in states if s.required and (not s.up or s.taken < oldest)]

    def changes(self) -> list[State]:
        """The last changes, newest first."""
        return list(reversed(self._changes))

    async def _ask_on(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + INTERVAL_SECONDS, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            await self._round()

    async def _round(self) -> None:
        """Ask all at once; what hangs is cut, and while it resists it is not asked again."""
        started = time.monotonic()
        for name, check in self._checks.items():
            if name not in self._asked or self._asked[name].done():
                self._asked[name] = asyncio.create_task(self._ask(check, started))
        if not self._asked:
            return
        _, late = await asyncio.wait(self._asked.values(), timeout=DEADLINE_SECONDS)
        for name, task in self._asked.items():
            if task in late:
                task.cancel()
                self._answered(name, f"no answer within {DEADLINE_SECONDS:g} s", started)

    async def _ask(self, check: Check, started: float) -> None:
        reason = ""
        try:
            await check.probe()
        except Unfit as unfit:
            reason = str(unfit)
        except Exception as error:  # whatever it is, it is the answer
            reason = f"{type(error).__name__}: {error}"
        self._answered(check.name, " ".join(reason.split())[:MAX_REASON], started)

    def _answered(self, name: str, reason: str, started: float) -> None:
        required, remedy = name in self._required, self._checks[name].remedy
        now, before, up = datetime.now(UTC), self._states.get(name), not reason
        is_same = before is not None and before.up == up
        since = before.since if before and is_same else now
        last_ok = now if up else before.last_ok if before else None
        seconds = time.monotonic() - started
        state = State(name, required, up, reason, seconds, since, last_ok, remedy)
        self._states[name] = state
        if is_same or (before is None and up):
            return
        self._changes.append(state)
        if before is not None and up:
            log.info(
                "check %s passes again after %.1f s", name, (now - before.since).total_seconds()
            )
        else:
            level = logging.ERROR if required else logging.WARNING
            log.log(level, "check %s: %s: %s", name, state.status, reason)
