"""The file of one worker: its counters and histograms, where other workers can read them.

First the values, 8 bytes each, mapped into memory; after them a line for each series, in the same
order, written before its values: its name, its bounds and its labels. What a worker counts is in
the file at once, so that it outlives the worker.
"""

import logging
import mmap
import os
import secrets
from collections.abc import Sequence
from fcntl import LOCK_EX, flock
from pathlib import Path
from threading import Lock
from typing import Any

from vitals.observability.metric_types import Histogram, Store

CAPACITY = 1 << 20  # values: 8 MiB, of which only what is used takes space
STEP = 1 << 13  # values reserved at once: on a full disk this fails, a write to the map would kill
WORKER = ".worker"
log = logging.getLogger(__name__)


class WorkerFile(Store):
    """A file of this process, locked until the process ends, however it ends.

    Create it while nobody else adds files to the folder. Raises OSError where it can't be written.
    """

    def __init__(self, folder: Path, number: int) -> None:
        name = f"{number:04d}-{os.getpid()}-{secrets.token_hex(4)}{WORKER}"
        hidden, self.path = folder / f".{name}", folder / name
        self._file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(self._file, CAPACITY * 8)
        memory = memoryview(mmap.mmap(self._file, CAPACITY * 8))
        self.integers, self.floats = memory.cast("q"), memory.cast("d")
        self._used = self._reserved = 0
        self._end, self._is_full = CAPACITY * 8, False
        self._adding = Lock()  # metrics of the application are counted in threads too
        # The lock is on an open file of its own: the map keeps its one open in a forked child.
        self._held = hidden.open("rb")
        flock(self._held, LOCK_EX)
        os.register_at_fork(after_in_child=self._held.close)
        hidden.rename(self.path)

    def add(self, name: str, bounds: Sequence[float], labels: str) -> Any:
        """A new series, in the file while there is space; after that one line is in the log."""
        size = len(bounds) + 2 if bounds else 1
        line = "\t".join((name, ",".join(map(str, bounds)), labels)).encode() + b"\n"
        with self._adding:
            at, end = self._used, self._used + size
            if not self._is_full and not self._appended(line, end):
                self._is_full = True  # a torn line stays the last one
                log.warning("%s: no space is left, new series are not counted", self.path)
            if self._is_full:
                return super().add(name, bounds, labels)
        total = self.floats[end - 1 : end]
        return Histogram(bounds, self.integers[at : end - 1], total) if bounds else total

    def _appended(self, line: bytes, end: int) -> bool:
        """Write a line and reserve its values up to `end`; False without space."""
        try:
            while self._reserved < end <= CAPACITY:
                if os.pwrite(self._file, bytes(STEP * 8), self._reserved * 8) < STEP * 8:
                    return False
                self._reserved += STEP
            if end > CAPACITY or os.pwrite(self._file, line, self._end) < len(line):
                return False
        except OSError:
            return False
        self._end += len(line)
        self._used = end
        return True
