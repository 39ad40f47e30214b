"""Other programs: starts them, and makes sure that each one ends. git is started in `git`.

Each program has a guard: a shell that waits until a pipe from this process closes. It closes when
the program is to stop, and when this process dies, even by `kill -9`; then the guard interrupts the
program and its children, kills what is left after 10 s, and deletes the program's folder.
"""

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple, Self

from vitals.ops.run.steps import Refused, interrupted

ROOT = Path(__file__).parents[3]
PYTHON = sys.executable

GUARD = """
read -r _
kill -s INT -- "-$1" 2>/dev/null
left=200
while [ $left -gt 0 ] && kill -s 0 -- "-$1" 2>/dev/null; do sleep 0.05; left=$((left - 1)); done
kill -s KILL -- "-$1" 2>/dev/null
[ -z "$2" ] || rm -rf -- "$2"
"""


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Finished(NamedTuple):
    code: int
    output: str


class Program:
    """A program that runs until the end of the `with` block, and no longer than this process."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | None = None,
        errors: IO[bytes] | None = None,
        folder: Path | None = None,
        user: int | None = None,
    ) -> None:
        """Start it; `environment` extends this process's, `folder` is deleted at its end.

        Its errors are a part of its output, unless they have a file of their own.

        Raises `Refused` when there is no such program.
        """
        if shutil.which(command[0]) is None:
            raise Refused(f"no program {command[0]}", "one that is installed")
        with _ctrl_c_later():
            self._process = subprocess.Popen(
                list(map(str, command)),
                cwd=folder or ROOT,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors or (subprocess.STDOUT if output else None),
                start_new_session=True,  # Ctrl-C reaches it once, from the guard
                user=user,
                group=None if user is None else user,
                extra_groups=None if user is None else [],
            )
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", str(self.pid), str(folder or "")],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, within_seconds: float = math.inf) -> int:
        """Wait for its end, for Ctrl-C, or until the time is over; then end it.

        Return its exit code, which is negative where a signal of ours ended it.
        """
        self.wait_until(lambda: False, within_seconds)
        return self.stop()

    def wait_until(self, ready: Callable[[], bool], within_seconds: float) -> bool:
        """Call `ready` until it is true; False when the program ended or the time is over."""
        deadline = time.monotonic() + within_seconds
        while self.code is None and time.monotonic() < deadline and not interrupted.is_set():
            if ready():
                return self.code is None
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
        return False

    def kill(self) -> None:
        """End it at once, as a crash would (`kill -9`)."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Interrupt it and wait for its end; return its exit code. Safe to call again."""
        if self.code is not None:
            self._guard.kill()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        code = self._process.wait()
        self._guard.wait()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    within_seconds: float = math.inf,
    **files: Any,
) -> Finished:
    """Run a program to its end; return its exit code and output. `files` are those of `Program`."""
    files |= {"environment": environment, "user": user}
    with tempfile.TemporaryFile() as output, Program(command, output=output, **files) as program:
        code = program.wait(within_seconds)
        output.seek(0)
        return Finished(code, output.read().decode(errors="replace"))


def attach(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> int:
    """Run a program to its end; its output goes to this terminal. Return its exit code."""
    with Program(command, environment=environment) as program:
        return program.wait()


def check_output(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    *,
    with_errors: bool = False,
) -> str:
    """Run a program; return its output, which a warning among its errors must not change.

    Raises `Refused` with the output and the errors when it fails.
    """
    with tempfile.TemporaryFile() as errors:
        code, output = run(command, environment, user, errors=None if with_errors else errors)
        if code:
            errors.seek(0)
            called = " ".join(Path(word).name for word in map(str, command[:3]))
            output += errors.read().decode(errors="replace")
            raise Refused(f"`{called}` ended with {code}", output=output)
        return output


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Deliver Ctrl-C after the block: a program without its guard would outlive this process."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets it
        return
    pressed: list[int] = []
    try:
        with handling(signal.SIGINT, lambda number, _: pressed.append(number)):
            yield
    finally:
        if pressed:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def handling(
    number: int, handler: Callable[[int, FrameType | None], object] | int
) -> Iterator[None]:
    """Handle a signal in this way until the block ends."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
