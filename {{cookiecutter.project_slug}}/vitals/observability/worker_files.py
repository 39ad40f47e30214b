"""The folder of all workers: their sums, in which the values of dead workers stay.

Whoever adds them up moves the values of dead workers into the file `past`, once. Which worker is
dead, the lock on its file says: the system releases it, whatever ended the process.
"""

import logging
import os
import re
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from operator import add
from pathlib import Path

from vitals.observability.worker_file import CAPACITY, WORKER, WorkerFile

PAST = "past"
FOLDED = "#"  # begins the line of the workers whose values are in `past`
MAX_PAST = 50_000  # series of dead workers, whose labels may be other ones each time
WAIT_SECONDS = 2.0  # for another worker, which may be stopped
Sums = dict[str, list[float]]  # by the line of a series: its buckets, if it has any, and its value
log = logging.getLogger(__name__)


class Folder:
    """A folder that workers share; none of its methods needs the event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._past = folder, folder / PAST

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

    def is_growing(self) -> bool:
        """Whether the parent of this process has more children like it, not here yet; on Linux."""
        joined = {name.split("-")[1] for name in self.alive()}
        with suppress(OSError):
            parent = Path(f"/proc/{os.getppid()}")
            children = (parent / "task" / parent.name / "children").read_text().split()
            own = _command(str(os.getpid()))
            return any(_command(pid) == own for pid in children if pid not in joined)
        return False

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
                *counts, value = found[line]
                file.write(array("q", counts).tobytes() + array("d", [value]).tobytes())
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


def _command(pid: str) -> bytes:
    """The command line of a process; numbers in it tell the children of uvicorn apart."""
    return re.sub(rb"\d", b"", Path(f"/proc/{pid}/cmdline").read_bytes())


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
        bounds = (line.split("\t", 2)[1] for line in lines)
        sizes = [each.count(",") + 3 if each else 1 for each in bounds]
        file.seek(0)
        raw = file.read(sum(sizes) * 8)
    integers, floats, at = array("q", raw), array("d", raw), 0
    for line, size in zip(lines, sizes, strict=True):
        end = at + size - 1
        values = [*integers[at:end], floats[end]]
        found[line] = [*map(add, found[line], values)] if line in found else values
        at += size
    return folded
