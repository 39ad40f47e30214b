"""The stacks of all threads and tasks, for a process that hangs: SIGUSR1 logs them."""

import asyncio
import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)


def in_main_thread() -> bool:
    """Whether handlers of signals can be set here."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def on_signal(loop: asyncio.AbstractEventLoop) -> Iterator[bool]:
    """Log the stacks at each SIGUSR1 in the block, where that would end the process; else False."""
    number = getattr(signal, "SIGUSR1", None)
    if number is None or not in_main_thread() or signal.getsignal(number) is not signal.SIG_DFL:
        yield False
        return
    text = "stacks of all threads and tasks:\n%s"
    signal.signal(number, lambda *_: log.warning(text, "".join(current(loop))))
    try:
        yield True
    finally:
        signal.signal(number, signal.SIG_DFL)


def current(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """The stack of each thread, then of each task of a loop."""
    for ident, running in sys._current_frames().items():  # noqa: SLF001 - the documented way
        yield f"thread {ident}\n" + "".join(traceback.format_stack(running))
    for task in asyncio.all_tasks(loop):
        frames = [(waiting, waiting.f_lineno) for waiting in _awaited(task.get_coro())]
        lines = traceback.StackSummary.extract(frames).format()
        yield f"task {task.get_name()}\n" + "".join(lines)


def _awaited(waits: Any) -> Iterator[FrameType]:
    """The frames from a coroutine down to what it waits for; a task itself gives the first only."""
    while frame := getattr(waits, "cr_frame", None) or getattr(waits, "gi_frame", None):
        yield frame
        waits = getattr(waits, "cr_await", None) or getattr(waits, "gi_yieldfrom", None)
