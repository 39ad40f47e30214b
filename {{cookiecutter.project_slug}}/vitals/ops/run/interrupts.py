"""Ctrl-C: lets a block finish that must not be cut, and keeps the signal from `make` above it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from vitals.ops.run import steps


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


@contextmanager
def later() -> Iterator[None]:
    """Deliver Ctrl-C after the block."""
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

    with terminal_alone(), handling(signal.SIGINT, on_interrupt):
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
    with os.fdopen(terminal, "rb+", buffering=0), handling(signal.SIGTTOU, signal.SIG_IGN):
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
