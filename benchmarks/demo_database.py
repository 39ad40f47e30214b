"""The database that the demo breaks."""

import contextlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarks.programs import Failed, launched

STOP_AFTER_SECONDS = 10  # time to open the page
STOPPED_SECONDS = 20


class Database:
    """The throw-away PostgreSQL of the generated service, in a process of its own."""

    PLAN = f"in {STOP_AFTER_SECONDS} s it stops for {STOPPED_SECONDS} s; watch the page"

    def __init__(self, project: Path) -> None:
        """Start it; its wheel is installed first. Raises Failed with the output."""
        script = Path(__file__).with_name("throw_away.py").read_text(encoding="utf-8")
        self._end = contextlib.ExitStack()
        self._program = self._end.enter_context(
            launched(
                project,
                (".venv/bin/python", "-c", script),
                subprocess.PIPE,
                stdin=subprocess.PIPE,
            )
        )
        self.url = self._program.stdout.readline().decode().strip()
        if not self.url.startswith("postgresql://"):
            said = self.url + self._program.stdout.read().decode()
            self._end.close()
            raise Failed(said, "no PostgreSQL", "one from requirements-services.txt")

    def events(self, address: str) -> list[tuple[float, str, Callable[[], None]]]:
        """When it stops and continues, and what to say then."""
        stop_at = time.monotonic() + STOP_AFTER_SECONDS
        stopped = f"PostgreSQL is stopped for {STOPPED_SECONDS} s: look at {address}/status"
        again = "PostgreSQL runs again, and so does the service"
        return [
            (stop_at, stopped, lambda: self._tell("stop")),
            (stop_at + STOPPED_SECONDS, again, lambda: self._tell("continue")),
        ]

    def _tell(self, word: str) -> None:
        self._program.stdin.write(f"{word}\n".encode())
        self._program.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()
