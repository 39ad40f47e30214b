"""Ctrl-C: lets a block finish that must not be cut, and keeps the signal from `make` above it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vitals.ops.run import shell, steps


@contextmanager
def finishing(notice: str) -> Iterator[None]:
    """Let the block finish when Ctrl-C is pressed: the first press prints `notice`.

    A second press interrupts. `make` gets neither, since it would end at once.
    """
    pressed: list[int] = []

    def on_interrupt(number: int, _: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        steps.say(notice)

    with terminal_alone(), shell.handling(signal.SIGINT, on_interrupt):
        yield


@contextmanager
def terminal_alone() -> Iterator[None]:
    """Make this the only process that the terminal's keys interrupt, if there is a terminal."""
    group = os.getpgrp()
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield
        return
    # SIGTTOU is sent to the process that moves the terminal.
    with os.fdopen(terminal, "rb+", buffering=0), shell.handling(signal.SIGTTOU, signal.SIG_IGN):
        shared = group != os.getpid() and os.tcgetpgrp(terminal) == group
        if shared:
            os.setpgid(0, 0)
            os.tcsetpgrp(terminal, os.getpid())
        try:
            yield
        finally:
            if shared:
                with suppress(OSError):  # the terminal or `make` may have gone meanwhile
                    os.tcsetpgrp(terminal, group)
                    os.setpgid(0, group)
