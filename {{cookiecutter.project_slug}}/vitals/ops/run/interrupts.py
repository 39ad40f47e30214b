"""Who hears Ctrl-C? While something must come to its end, only we do, and not `make` above us."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from vitals.ops.run import steps


@contextmanager
def finishing(told: str) -> Iterator[None]:
    """Let the block come to its end though Ctrl-C is pressed: the first time `told` is said.

    A second Ctrl-C interrupts. `make` above us is spared both, as it would give up at once.
    """
    pressed: list[int] = []

    def on_interrupt(number: int, _: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        steps.say(told)

    with _terminal_alone():
        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _terminal_alone() -> Iterator[None]:
    """Be the only process that the terminal's keys interrupt, where there is a terminal."""
    group = os.getpgrp()
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # raised by whoever moves the terminal
    try:
        shared = group != os.getpid() and os.tcgetpgrp(terminal) == group
        if shared:
            os.setpgid(0, 0)
            os.tcsetpgrp(terminal, os.getpid())
        try:
            yield
        finally:
            if shared:
                os.tcsetpgrp(terminal, group)
                os.setpgid(0, group)
    finally:
        signal.signal(signal.SIGTTOU, before)
        os.close(terminal)
