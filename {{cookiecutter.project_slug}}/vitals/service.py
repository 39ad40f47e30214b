"""The service of /metrics, /status and /health: this process, or all workers that share a folder.

Each worker counts in a file of its own there, and once a second it writes beside it what it knows
otherwise: its checks, gauges and last errors. Those of a dead worker are gone at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vitals import snapshots
from vitals.drain import may_be_one_of_several
from vitals.health.checks import Checks
from vitals.observability import own_metrics
from vitals.observability.metric_types import Series
from vitals.observability.metrics import Metrics, kind_of, text_of
from vitals.observability.recent_errors import RecentErrors
from vitals.snapshots import Snapshot

PUBLISH_SECONDS = 1.0
FIX = "Fix, if there are more: vitals.install(app, folder=…), a folder for all of them"
HISTORY = "history.json"
LARGEST = "event_loop_lag_seconds"  # a gauge of which a sum says nothing
log = logging.getLogger(__name__)


class Service:
    """One process, or with a `folder` the workers that share it, as this one sees them."""

    def __init__(
        self, folder: Path | None, metrics: Metrics, checks: Checks, recent_errors: RecentErrors
    ) -> None:
        self._folder, self._metrics = folder, metrics
        self._checks, self._recent_errors = checks, recent_errors
        self._name = ""  # of this worker's file, when there is one
        self._others: dict[str, Snapshot] = {}
        self._sums: Mapping[str, list[float]] = {}  # of all workers, those that have ended too
        self._publishing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Join the others. Raises OSError where the folder can't be used."""
        if self._folder is None:
            if may_be_one_of_several():
                log.warning("/metrics, /status and /health describe one worker. %s", FIX)
            return
        from vitals.observability import worker_files  # not every system has file locks

        self._files, self._json = worker_files.Folder(self._folder), TypeAdapter(Snapshot)
        if not self._name:
            self.file = await asyncio.to_thread(self._files.join)
            self._name = self.file.path.stem
            self._metrics.share(self.file)
            own_metrics.share(self.file)
        await self.refresh()
        self._publishing = asyncio.create_task(repeat(self._exchange, PUBLISH_SECONDS))

    async def close(self) -> None:
        """Write the last counts; the file stays until the process ends."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait([self._publishing])
            self.publish()

    async def refresh(self) -> None:
        """Read what all workers have counted and written by now."""
        if self._name:
            self.publish()
            try:
                self._others = await asyncio.to_thread(self._read_others)
                self._sums = await asyncio.to_thread(self._files.sums)
            except OSError as error:  # the values of the last time are the best there is
                log.warning("the counts of all workers can't be read: %s", error)

    async def text(self) -> str:
        """/metrics; that of several workers is built in a thread, and gauges have a worker."""
        if not self._name:
            return await self._metrics.text()
        await self.refresh()
        living = self._living()  # the gauges of a dependency belong to the event loop's thread
        every = self.series(living, by_worker=True)
        return await asyncio.to_thread(lambda: "".join(text_of(every)))

    def publish(self) -> None:
        """Write what this worker knows, and the counts that others keep for it."""
        if self._name:
            for name, labels, *_, value in self._metrics.current():
                if kind_of(name)[0] == "counter":
                    self._metrics.set_count(name, labels, value)
            self._files.write(self._name + ".json", self._json.dump_json(self._own()))

    async def others_serve(self) -> bool:
        """Whether other workers take the requests while this one drains, or are being started."""
        if not self._name:
            return False
        others = (await asyncio.to_thread(self._read_others)).values()
        stay = ["draining" not in (state.name for state in each.states) for each in others]
        return any(stay) or await asyncio.to_thread(self._files.is_growing)

    def about(self) -> Mapping[str, str]:
        names = sorted({*self._others, self._name})
        place = f"{names.index(self._name) + 1} of {len(names)}"
        return {"worker": place} if self._name else {}

    def snapshot(self) -> Snapshot:
        return snapshots.together(self._living())

    def series(
        self, living: Sequence[Snapshot] = (), *, by_worker: bool = False
    ) -> Iterator[Series]:
        """All series, as of the last `refresh`: gauges added up, or with the label `worker`."""
        if not self._name:
            yield from self._metrics.series()
            return
        yield from _parsed(self._sums)
        gauges: dict[tuple[str, str], float] = {}
        for number, each in enumerate(living or self._living(), 1):
            for name, labels, *_, value in each.gauges:
                if by_worker and ',worker="' not in f",{labels}":  # a metric's own label stays
                    labels += f'{labels and ","}worker="{number}"'
                before = gauges.get((name, labels), 0.0)
                gauges[name, labels] = max(before, value) if name == LARGEST else before + value
        for (name, labels), value in sorted(gauges.items()):
            yield name, labels, (), (), value

    def own_metrics(self) -> dict[str, object]:
        """The application's own metrics, for the page: nobody knows what gauges add up to."""
        return own_metrics.values(self.series(by_worker=True))

    def read_history(self) -> bytes | None:
        return self._files.read(HISTORY) if self._name else None

    def write_history(self, content: Callable[[], bytes]) -> None:
        """Write the history for workers that start later, if this is the first one."""
        if self._name and self._name == min({*self._others, self._name}):
            self._files.write(HISTORY, content())

    def _own(self) -> Snapshot:
        current = self._metrics.current() if self._name else ()
        gauges = [each for each in current if kind_of(each[0])[0] != "counter"]
        checks, errors = self._checks, self._recent_errors
        known = checks.states(), checks.changes(), errors.failures(), errors.repeats()
        return Snapshot(*known, gauges)

    def _living(self) -> list[Snapshot]:
        living = self._others | {self._name: self._own()}
        return [living[name] for name in sorted(living)]

    def _read_others(self) -> dict[str, Snapshot]:
        found = {}
        for name in self._files.alive():
            content = self._files.read(name + ".json") if name != self._name else None
            with suppress(ValidationError):  # of another version
                if content is not None:
                    found[name] = self._json.validate_json(content)
        return found

    async def _exchange(self) -> None:
        self.publish()
        self._others = await asyncio.to_thread(self._read_others)


async def repeat(run: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Run a function every so many seconds, also after it has failed, which is logged."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await run()
        except Exception:
            log.exception("a task of the engine failed, and runs again in %g s", seconds)


def _parsed(sums: Mapping[str, Any]) -> Iterator[Series]:
    """Series by name; a histogram has the bounds of a worker that runs, as text."""
    bounds_of: dict[str, str] = {}
    for line in sums:
        name, bounds, _ = line.split("\t", 2)
        bounds_of.setdefault(name, bounds)
    for line, (*counts, value) in sorted(sums.items()):
        name, bounds, labels = line.split("\t", 2)
        if bounds == bounds_of[name]:
            yield name, labels, bounds.split(",") if bounds else (), counts, value
