"""Looks at a new version after its switch: what they add up to, and what is worse.

Plain data in, a sentence out; `vitals.ops.deploy.watch` takes the looks.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from vitals.ops.deploy import watch_rule as rule
from vitals.ops.deploy.samples import Routes, Sample, add

MIB = 1 << 20


class Seen(NamedTuple):
    """A replica at one moment."""

    ready: bool
    sample: Sample | None  # None: its /metrics did not answer
    limit_bytes: float = 0  # of its memory; 0: none is known


class Look(NamedTuple):
    """The new side at one moment. Not `judged`: the old side fails as well, so it is an outage."""

    at: float  # seconds since the switch
    running: bool
    replicas: dict[str, Seen]
    judged: bool = True


class Watched:
    """The looks at a new version so far: each replica alone, and all together as ""."""

    def __init__(
        self, old: Sample, rows: Mapping[str, rule.Row], started: Mapping[str, float]
    ) -> None:
        """Take the old side and, by replica, when those of the new side started, if known."""
        self._old, self._rows, self._started = old, rows, dict(started)
        self._last = dict[str, Sample]()
        self._ready_at = dict[str, float]()
        self._points = dict[str, list[tuple[float, Routes]]]()
        self._next: Look | None = None
        self._outage = False

    def add(self, look: Look) -> str:
        """Take the next look; return what is worse, in one sentence, or nothing.

        It is the look before that is judged: the old side notices an outage a moment later.
        """
        before, self._next = self._next, look
        if look.judged and not look.running:
            return "it has ended"
        return self._add(before._replace(judged=before.judged and look.judged)) if before else ""

    def _add(self, look: Look) -> str:
        # What failed in an outage may be counted just after it.
        outage, self._outage = self._outage or not look.judged, not look.judged
        worse = [*self._worse_replicas(look, outage)]
        is_first, all_of_them = not self._points, self._total("")
        for name, (_, sample, _) in look.replicas.items():
            if sample:
                # What it counted before the first look of all was its smoke test.
                before = self._last.get(name, sample if is_first else Sample({}))
                alone = self._total(name)
                for total in () if outage else (alone, all_of_them):
                    add(total, sample.routes, before.routes)
                self._points.setdefault(name, []).append((look.at, alone))
                self._last[name] = sample
        self._points.setdefault("", []).append((look.at, all_of_them))
        alone_too = look.replicas if len(look.replicas) > 1 else {}
        for name in () if outage else ("", *alone_too):
            on = f"{name}: " if name else ""
            found = rule.worse(self._points.get(name, []), self._old.routes, self._rows)
            worse += [f"{on}{each}" for each in found]
        return "" if outage or not worse else worse[0]

    def counted(self) -> Routes:
        """Return what was counted since the first look, by route; the old side's routes too."""
        return {**dict.fromkeys(self._old.routes, rule.NOTHING), **self._total("")}

    def _total(self, name: str) -> Routes:
        points = self._points.get(name)
        return dict(points[-1][1]) if points else {}

    def _worse_replicas(self, look: Look, outage: bool) -> Iterator[str]:
        for name, (ready, sample, limit) in look.replicas.items():
            since = self._ready_at.setdefault(name, look.at)
            if ready or outage:
                self._ready_at[name] = look.at
            elif look.at - since >= rule.UNREADY_SECONDS:
                yield f"{name} has not been ready for {look.at - since:.0f} s"
            if sample:
                if sample.started != self._started.setdefault(name, sample.started):
                    self._started[name], self._last[name] = sample.started, Sample({})
                    yield f"{name} has restarted"
                yield from self._too_large(name, sample.memory_bytes, limit)

    def _too_large(self, name: str, memory: float, limit: float) -> Iterator[str]:
        old = self._old.memory_bytes
        if old and memory > rule.MEMORY_FACTOR * old + rule.MEMORY_BYTES:
            yield f"{name} uses {memory / MIB:.0f} MiB of memory; before, it was {old / MIB:.0f}"
        if limit and memory > rule.MEMORY_SHARE * limit:
            yield f"{name} uses {memory / MIB:.0f} of its {limit / MIB:.0f} MiB of memory"
