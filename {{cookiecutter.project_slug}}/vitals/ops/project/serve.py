"""How is the service served while it is worked on? `python -m app`, again after each change.

Modules that are named on the command line run before each start.
"""

import os
import socket
import sys
from contextlib import AbstractContextManager, nullcontext, suppress

from watchfiles import PythonFilter, watch

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

WATCHED = [shell.ROOT / name for name in ("app", "config", "migrations")]


def serve(before: list[str], port: int) -> None:
    """Serve on 127.0.0.1 until Ctrl-C. While a module of `before` fails, only that is tried again.

    Raises `Refused` when the port is taken.
    """
    refuse_taken(port)
    changes = watch(
        *(folder for folder in WATCHED if folder.is_dir()),
        watch_filter=PythonFilter(extra_extensions=(".env",)),
        rust_timeout=200,
        yield_on_timeout=True,
        raise_interrupt=True,
    )
    next(changes)  # watches from here on: what changes while the service starts counts too
    while True:
        with _started(before, port):
            changed = next(filter(None, changes))
        steps.say(f"changed: {', '.join(sorted({os.path.relpath(path) for _, path in changed}))}")


def _started(before: list[str], port: int) -> AbstractContextManager[object]:
    if any(shell.attach([shell.PYTHON, "-m", module]) for module in before):
        return nullcontext()
    address = {"APP_HOST": "127.0.0.1", "APP_PORT": str(port)}
    return shell.Program([shell.PYTHON, "-m", "app"], environment=address)


def refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Refused(
                f"port {port}: {os.strerror(error.errno or 0).lower()}",
                fix=f"stop what listens there, or `make run PORT={port + 1}`",
            ) from error


def port() -> int:
    """The port that PORT names, 8000 without one."""
    given = os.environ.get("PORT") or "8000"
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise Refused(f"PORT={given}", "a number from 1 to 65535", "`make run PORT=8001`")
    return int(given)


def main() -> None:
    with suppress(KeyboardInterrupt):  # how it is meant to end
        serve(sys.argv[1:], port())


if __name__ == "__main__":
    steps.exit_with(main)
