"""The stacks of all threads and tasks, for a process that hangs: SIGUSR1 logs them."""

import asyncio
import logging
import signal
import sys
import traceback
from collections.abc import Iterator
from types import FrameType

log = logging.getLogger(__name__)


def log_on_signal(loop: asyncio.AbstractEventLoop) -> None:
    """Log the stacks at each SIGUSR1."""
    signal.signal(
        signal.SIGUSR1,
        lambda *_: log.warning("stacks of all threads and tasks:\n%s", "".join(current(loop))),
    )


def current(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """The stack of each thread, then of each task of a loop."""
    for ident, running in sys._current_frames().items():  # noqa: SLF001 - the documented way
        yield f"thread {ident}\n" + "".join(traceback.format_stack(running))
    for task in asyncio.all_tasks(loop):
        frames = [(waiting, waiting.f_lineno) for waiting in _awaited(task.get_coro())]
        lines = traceback.StackSummary.extract(frames).format()
        yield f"task {task.get_name()}\n" + "".join(lines)


def _awaited(waits: object) -> Iterator[FrameType]:
    """The frames from a coroutine down to what it waits for; a task itself gives the first only."""
    while waits is not None:
        for kind, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            if (frame := getattr(waits, f"{kind}_frame", None)) is not None:
                yield frame
                waits = getattr(waits, inner)
                break
        else:
            return
