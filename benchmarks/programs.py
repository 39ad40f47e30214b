"""Child processes of the demo: it handles Ctrl-C itself, and all of them end with it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests import baking

STOP_WITHIN_SECONDS = 30


class Failed(Exception):
    """The output, what failed and what was expected. The fix is the same for all."""

    def __init__(self, said: str, found: str, expected: str) -> None:
        super().__init__(
            f"{said.strip()}\n\n{found}; expected {expected}. Nothing is left running. "
            "Fix: repair what is reported above, then run: make demo"
        )


@contextlib.contextmanager
def launched(
    folder: Path,
    command: Sequence[str],
    output: int | IO[bytes],
    stdin: int = subprocess.DEVNULL,
    **settings: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in its own session, which Ctrl-C does not reach; end it with the block."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=baking.environment(**settings),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as program:
        try:
            yield program
        finally:
            signal_all(program, signal.SIGTERM)
            try:
                program.wait(STOP_WITHIN_SECONDS)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                signal_all(program, signal.SIGKILL)


def signal_all(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, number)
