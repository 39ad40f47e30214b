"""A wall clock that jumps, for one process."""

from pathlib import Path

LIBRARY = "usr/lib/*/faketime/libfaketime.so.1"  # below /


class Clock:
    """The time that libfaketime gives a process, from a file that can change at run time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)
        self.environ = {
            "LD_PRELOAD": str(next(Path("/").glob(LIBRARY))),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, hours: int) -> None:
        """Be off by that many hours, starting within a second."""
        self._file.write_text(f"{hours:+d}h\n", encoding="utf-8")
