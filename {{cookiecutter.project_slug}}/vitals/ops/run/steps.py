"""Steps: runs the parts of a command and reports them. The only module in ops that prints.

A step is a name and a function that does one thing: it returns a detail for its line, or nothing,
and raises `Refused` when it cannot. Steps are independent of each other.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import NamedTuple

NOTHING_TO_TEST = "nothing to test yet"  # in a project without a path of its own
interrupted = threading.Event()  # Ctrl-C came: threads that wait give up
unattended = threading.Event()  # what runs must come to its end, even if nobody reads what it says


@dataclass
class Refused(Exception):
    """A refusal: what was found, what was expected and the fix; `output` is what a program said."""

    found: str
    expected: str = ""
    fix: str = ""
    output: str = ""

    def __str__(self) -> str:
        expected = f"; expected {self.expected}" if self.expected else ""
        fix = f". Fix: {self.fix}" if self.fix else ""
        return f"{self.found}{expected}{fix}"


class Step(NamedTuple):
    name: str
    run: Callable[[], str | None]
    unchanged: str | None = None  # the detail of an earlier pass that is still valid


@dataclass(frozen=True)
class Result:
    name: str
    ok: bool
    seconds: float
    detail: str
    output: str
    unchanged: bool = False  # it passed earlier, and was not run again


def printable(text: str, keep: str = "") -> str:
    """The text with escapes for control characters: names of files and answers may hold some."""
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def say(line: str, end: str = "\n") -> None:
    """Print a line at once, also into a pipe; what it quotes can't move a terminal's cursor."""
    _write(printable(line, keep="\n\t"), end)


def _write(text: str, end: str = "") -> None:
    try:
        print(text, end=end, flush=True)  # noqa: T201  the one place that prints
    except OSError:
        if not unattended.is_set():
            raise
        detach()


def detach() -> None:
    """Write nothing from now on: the terminal or the pipe has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def redraw(lines: Sequence[str], over: int) -> None:
    """Print lines at a terminal, in place of the last ones, as many as `over` says."""
    columns = shutil.get_terminal_size().columns - 1
    _write(f"\x1b[{over}F\x1b[J" if over else "")
    say("\n".join(line[:columns] for line in lines))


@contextmanager
def waiting(line: str) -> Iterator[None]:
    """Count the seconds beside a line at a terminal; the line is erased after the block."""
    if not sys.stdout.isatty() or threading.current_thread() is not threading.main_thread():
        yield  # lines of two threads would overwrite each other
        return
    started, over = time.monotonic(), threading.Event()

    def count() -> None:
        while not over.wait(1):
            _write(f"\r{line} … {time.monotonic() - started:.0f} s")
        _write(f"\r{' ' * (len(line) + 10)}\r")

    counting = threading.Thread(target=count)
    counting.start()
    try:
        yield
    finally:
        over.set()
        counting.join()


def ask(question: str) -> bool:
    """Whether the answer is yes; anything else is no. Raises `Refused` without a terminal."""
    say(f"{question} [y/N] ", end="")
    answer = sys.stdin.readline()
    if not answer:
        raise Refused("no answer", "a terminal", "YES=1 asks nothing")
    return answer.strip().lower() in ("y", "yes")


def run_one(step: Step) -> Result:
    """Run a step; a refusal becomes its result."""
    if step.unchanged is not None:
        return Result(step.name, True, 0.0, step.unchanged, "", unchanged=True)
    started = time.monotonic()
    try:
        ok, detail, output = True, step.run() or "", ""
    except Refused as refusal:
        ok, detail, output = False, str(refusal), refusal.output
    return Result(step.name, ok, round(time.monotonic() - started, 2), detail, output)


def report(
    steps: Sequence[Step], at_once: int = 1, width: int = 0, first: Sequence[str] = ()
) -> list[Result]:
    """Run all steps, `at_once` at a time, and print a line for each in the order given.

    Those named in `first` are started before the others. The output of failing programs follows
    below all lines, so that the overview stays in one piece.
    """
    width = width or max(len(step.name) for step in steps)
    results = []
    with ThreadPoolExecutor(at_once) as pool:
        try:
            order = sorted(steps, key=lambda step: step.name not in first)
            coming = {step.name: pool.submit(run_one, step) for step in order}
            for step in steps:
                with waiting(f"  {step.name:<{width}}"):
                    results.append(result := coming[step.name].result())
                mark = f"{'ok' if result.ok else 'FAILED':<6} {result.seconds:6.1f} s"
                mark = f"{'ok (unchanged)':<15}" if result.unchanged else mark
                say(f"  {result.name:<{width}}  {mark}  {result.detail}".rstrip())
        except KeyboardInterrupt:
            interrupted.set()
            pool.shutdown(cancel_futures=True)
            raise
    for result in results:
        if result.output:
            say(f"\n{result.name}:\n{result.output.rstrip()}")
    return results


def exit_with(main: Callable[[], int | None]) -> None:
    """End the process with what `main` returns: 1 after a refusal, 130 after Ctrl-C."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know Latin letters only
    try:
        sys.exit(main())
    except Refused as refusal:
        say(f"{refusal.output.rstrip()}\n{refusal}".lstrip())
        sys.exit(1)
    except OSError as error:  # such as a full disk
        say(f"{error.filename or 'the system'}: {error.strerror or error}. Safe to repeat")
        sys.exit(1)
    except KeyboardInterrupt:
        say("\ninterrupted; what was started is stopped. Safe to run again.")
        sys.exit(130)
