"""The demo's progress: one line that grows, on a terminal and in a log."""

import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Done = TypeVar("Done")


def step(before: str, title: str, work: Callable[[], Done]) -> Done:
    """Do the work; add its title and how long it took to the line."""
    print(f"{before} {title} …", end="", flush=True)
    begun, over = time.monotonic(), threading.Event()
    threading.Thread(target=dots, args=[over], daemon=True).start()
    try:
        done = work()
    finally:
        over.set()
    print(f" {time.monotonic() - begun:.1f} s", end="", flush=True)
    return done


def dots(over: threading.Event) -> None:
    """Print a dot every two seconds on a terminal while a long step runs."""
    while not over.wait(2):
        print("." if sys.stdout.isatty() else "", end="", flush=True)
