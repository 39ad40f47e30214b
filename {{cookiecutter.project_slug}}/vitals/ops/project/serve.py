"""Local service: runs `python -m app`, migrations applied, and restarts it after each change."""

import os
import shlex
import socket
from contextlib import suppress

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

WATCHED = ("app", "vitals", "migrations")


def serve(port: int) -> int:
    """Serve on 127.0.0.1 until Ctrl-C. Raises `Refused` when the port is taken."""
    refuse_taken(port)
    settings = {"APP_ENVIRONMENT": "local", **os.environ}
    settings |= {"APP_HOST": "127.0.0.1", "APP_PORT": str(port)}
    watched = [name for name in WATCHED if (shell.ROOT / name).is_dir()]
    watch = ["watchfiles", "--target-type=command", "--filter=python", "--verbosity=warning"]
    with suppress(KeyboardInterrupt):  # how it is meant to end
        return shell.attach([shell.PYTHON, "-m", *watch, _start(watched), *watched], settings)
    return 0


def _start(folders: list[str]) -> str:
    """The command that is repeated: while a migration fails, no service starts."""
    python = shlex.quote(shell.PYTHON)
    migrate = f"{python} -m vitals.ops.project.migration && " if "migrations" in folders else ""
    return shlex.join(["/bin/sh", "-c", f"{migrate}exec {python} -m app"])


def refuse_taken(port: int) -> None:
    """Raise `Refused` unless the port can be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            found = f"port {port}: {os.strerror(error.errno or 0).lower()}"
            fix = f"stop what listens there, or `make run PORT={port + 1}`"
            raise Refused(found, fix=fix) from error


def port() -> int:
    """The port that PORT names, 8000 without one."""
    given = os.environ.get("PORT") or "8000"
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise Refused(f"PORT={given}", "a number from 1 to 65535", "`make run PORT=8001`")
    return int(given)


if __name__ == "__main__":
    steps.exit_with(lambda: serve(port()))
