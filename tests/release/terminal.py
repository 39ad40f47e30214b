"""`make release` in the tests: run by make, in a terminal, with the keys of a terminal."""

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import psutil

from tests.baking import environment, wait_until

LONG_SECONDS = 60
MAKE = [
    "make",
    "--old-file=setup",
    f"RUN={sys.executable} -m",
]  # vitals.ops.release.release needs no .venv


class Releasing:
    """`make` in a terminal of its own."""

    def __init__(self, project: Path, words: list[str]) -> None:
        self.output = ""
        self._terminal, inside = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *MAKE, *words],
            cwd=project,
            env=environment(TERM="dumb"),
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                read = os.read(self._terminal, 65536)
            except OSError:  # the last one at the other end has gone
                return
            if not read:
                return
            self.output += read.decode(errors="replace").replace("\r\n", "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self._reader.join(LONG_SECONDS)
        os.close(self._terminal)

    def press(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def ctrl_c(self) -> None:
        self.press("\x03")

    def until(self, text: str) -> None:
        """Wait until this was printed."""
        try:
            wait_until(lambda: text in self.output or self.process.poll() is not None, LONG_SECONDS)
        finally:
            assert text in self.output, self.output

    def wait(self) -> int:
        return self.process.wait(LONG_SECONDS)

    @property
    def code(self) -> int:
        return self.wait()

    def kill(self) -> None:
        """`kill -9` of what the user started: make and the module that it runs."""
        family = [psutil.Process(self.process.pid)]
        family += [
            child
            for child in family[0].children()
            if "vitals.ops.release.release" in child.cmdline()
        ]
        for process in family:
            process.kill()
        self.process.wait()

    @property
    def fixes(self) -> list[str]:
        """The commands that the refusals name."""
        return re.findall(r"Fix: `([^`]+)`", self.output)
