"""The folder of all workers: their sums, in which the values of dead workers stay.

Whoever adds them up moves the values of dead workers into the file `past`, once. Which worker is
dead, the lock on its file says: the system releases it, whatever ended the process.
"""

import logging
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from operator import add
from pathlib import Path
from typing import Any

from vitals.observability.worker_file import CAPACITY, WORKER, WorkerFile

FOLDED = "#"  # begins the line of the workers whose values are in `past`
MAX_PAST = 50_000  # series of dead workers, whose labels may be other ones each time
WAIT_SECONDS = 2.0  # for another worker, which may be stopped
Sums = dict[str, list[Any]]  # by the line of a series: its buckets and sum, or its value
log = logging.getLogger(__name__)


class Folder:
    """A folder that workers share; none of its methods needs the event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._past = folder, folder / "past"

    def join(self) -> WorkerFile:
        """Add a worker with the lowest number that is free."""
        with self._only_one():
            self._fold()
            taken = {int(name[:4]) for name in self.alive()}
            return WorkerFile(self._folder, next(n for n in range(1, 10_000) if n not in taken))

    def sums(self) -> Sums:
        """What all workers have counted, those that have ended too.

        Raises TimeoutError if another worker keeps the folder for itself.
        """
        with self._only_one():
            self._fold()
            found: Sums = {}
            for name in self.alive():
                _add(self._folder / (name + WORKER), found)
            _add(self._past, found)
            return found

    def alive(self) -> list[str]:
        """The names of the workers that run, by their numbers."""
        found = (path for path in self._folder.glob(f"[0-9]*{WORKER}") if not _is_dead(path))
        return sorted(path.stem for path in found)

    def read(self, name: str) -> bytes | None:
        """A file that `write` wrote."""
        try:
            return (self._folder / name).read_bytes()
        except OSError:  # not written yet, or of a worker that just ended
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replace a file at once; a full disk is a line in the log."""
        new = self._folder / f"{name}.new"
        try:
            new.write_bytes(content)
            new.replace(self._folder / name)
        except OSError as error:
            log.warning("%s can't be written: %s", new, error)

    def _fold(self) -> None:
        """Move the values of dead workers into `past`, whose rename is the moment that counts."""
        living = {*self.alive()}
        dead = [p for p in self._folder.glob(f"*{WORKER}") if p.stem not in living]
        if not dead:
            return
        found: Sums = {}
        before = _add(self._past, found)
        for path in dead:  # one may be in it already, or have ended before it began
            if path.name[0] != "." and path.stem not in before:
                _add(path, found)
        lines = [*found][:MAX_PAST]
        new = self._past.with_suffix(".new")
        with new.open("wb") as file:
            for line in lines:
                file.write(array("q", map(int, found[line][:-1])).tobytes())
                file.write(array("d", found[line][-1:]).tobytes())
            file.seek(CAPACITY * 8)
            names = [FOLDED + " ".join(path.stem for path in dead), *lines]
            file.write("\n".join([*names, ""]).encode())
        new.replace(self._past)
        for path in dead:
            for each in self._folder.glob(f"{path.stem}.*"):
                each.unlink()

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        with (self._folder / "lock").open("ab") as file:
            until = time.monotonic() + WAIT_SECONDS
            while not _is_locked(file.fileno(), LOCK_EX):
                if time.monotonic() > until:
                    raise TimeoutError(f"{self._folder} is locked by another worker")
                time.sleep(0.002)
            yield


def _is_locked(file: int, kind: int) -> bool:
    """Lock an open file, if nobody else has."""
    try:
        flock(file, kind | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_dead(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _is_locked(file.fileno(), LOCK_SH)
    except FileNotFoundError:
        return True


def _add(path: Path, found: Sums) -> str:
    """Add the values of a file; return the line of the workers that are folded in it."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(CAPACITY * 8)
        lines = file.read().decode().split("\n")[:-1]  # the last one may be torn
        folded = lines.pop(0) if lines and lines[0].startswith(FOLDED) else ""
        sizes = [_size(line) for line in lines]
        file.seek(0)
        raw = file.read(sum(sizes) * 8)
    integers, floats, at = array("q", raw), array("d", raw), 0
    for line, size in zip(lines, sizes, strict=True):
        end = at + size - 1
        values = [*integers[at:end], floats[end]]
        if (before := found.get(line)) is not None:
            values = [*map(add, before, values)]
        found[line] = values
        at = end + 1
    return folded


def _size(line: str) -> int:
    """The number of values of a series, by its bounds."""
    bounds = line.split("\t", 2)[1]
    return bounds.count(",") + 3 if bounds else 1
