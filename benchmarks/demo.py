"""The demo: generates a service, starts it, sends traffic and serves until Ctrl-C."""

import collections
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from benchmarks import traffic
from benchmarks.programs import launched
from tests import baking

Done = TypeVar("Done")

DEMO = baking.ROOT / "build" / "demo"
LOG = DEMO / "service.log"
FEATURE = baking.ROOT / "benchmarks" / "demo"  # what the demo adds to the generated service
WIRED = {  # a line of its app/main.py: the line that goes after it
    r"^from app\.items[. ].*\n": "from app.reports import routes as reports\n",
    r"^ +app\.include_router\(items.*\n": (
        "    app.include_router(reports.router(dependencies.items))\n"
    ),
}
LOCAL = {"APP_ENVIRONMENT": "local"}
OURS = f"demo-{os.getpid()}"  # the commit that the service reports: another one is not ours
START_WITHIN_SECONDS = 30


class Failed(Exception):
    """The output, what failed and what was expected. The fix is the same for all."""

    def __init__(self, said: str, found: str, expected: str) -> None:
        super().__init__(
            f"{said.strip()}\n\n{found}; expected {expected}. Nothing is left running. "
            "Fix: repair what is reported above, then run: make demo"
        )


def main() -> int:
    """Run the demo. Returns 0 after Ctrl-C while it serves, 130 before that, 1 on a failure."""
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    try:
        project = step("generate a service with the defaults into build/demo/", generate)
        step("add a slow route, and one with too many queries", lambda: add(project))
        step("make setup: install the locked packages", lambda: run(project, "make", "setup"))
        step(
            "apply the migrations",
            lambda: run(project, ".venv/bin/python", "-m", "vitals.ops.project.migration"),
        )
        with started(project) as (service, address):
            step("start it: python -m app", lambda: wait_until_healthy(service, address))
            answers = step("send it a little traffic", lambda: send_traffic(address))
            print(report(answers, address), flush=True)
            serve(service, address)
    except Failed as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing is left running. Safe to retry: make demo")
        return 130
    print("\nStopped. Nothing is left running. To run it again: make demo")
    return 0


def step(title: str, work: Callable[[], Done]) -> Done:
    """Print the title, do the work, and print how long it took."""
    print(f"  {title} …", end="", flush=True)
    begun, over = time.monotonic(), threading.Event()
    threading.Thread(target=dots, args=[over], daemon=True).start()
    try:
        done = work()
    finally:
        over.set()
    print(f" {time.monotonic() - begun:.1f} s", flush=True)
    return done


def dots(over: threading.Event) -> None:
    """Print a dot every two seconds on a terminal while a long step runs."""
    while not over.wait(2):
        print("." if sys.stdout.isatty() else "", end="", flush=True)


def generate() -> Path:
    """Generate the service; delete that of an earlier demo."""
    try:
        template = baking.template()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(str(error), "git can't list the template's files", "a clone of it") from error
    shutil.rmtree(DEMO, ignore_errors=True)
    defaults = ("--no-input", "--config-file", str(baking.user_config()))
    run(template, sys.executable, "-m", "cookiecutter", ".", *defaults, "-o", str(DEMO))
    (project,) = DEMO.iterdir()
    return project


def add(project: Path) -> None:
    """Add the demo's own feature, so that there is something to see. Raises Failed."""
    shutil.copytree(FEATURE, project, dirs_exist_ok=True)
    main = project / "app" / "main.py"
    text = main.read_text(encoding="utf-8")
    for line, next_line in WIRED.items():
        text, found = re.subn(line, rf"\g<0>{next_line}", text, flags=re.MULTILINE)
        if found != 1:
            raise Failed("", f"{main.name} has {found} lines like {line}", "one, to wire the demo")
    main.write_text(text, encoding="utf-8")


def run(folder: Path, *command: str) -> None:
    """Run a program to its end. Raises Failed with its output."""
    with launched(folder, command, subprocess.PIPE) as program:
        said, _ = program.communicate()
    if program.returncode:
        raise Failed(said.decode(), f"`{' '.join(command)}` ended with {program.returncode}", "0")


@contextlib.contextmanager
def started(project: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start the service on a free port of 127.0.0.1."""
    port = baking.free_port()
    settings = {**LOCAL, "APP_PORT": str(port), "APP_COMMIT": OURS, "APP_DRAIN_SECONDS": "0"}
    command = (".venv/bin/python", "-m", "app")
    with LOG.open("wb") as lines, launched(project, command, lines, **settings) as service:
        yield service, f"http://127.0.0.1:{port}"


def wait_until_healthy(service: subprocess.Popen[bytes], address: str) -> None:
    """Wait until our own service is healthy."""
    deadline = time.monotonic() + START_WITHIN_SECONDS
    while service.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            status, body, _ = traffic.ask("GET", f"{address}/health")
            if status == 200 and json.loads(body).get("releaseId") == OURS:
                return
        time.sleep(0.05)  # the pause between two polls
    raise Failed(
        log(),
        "the service is not healthy",
        f"200 from {address}/health within {START_WITHIN_SECONDS} s",
    )


def send_traffic(address: str) -> collections.Counter[int]:
    try:
        return traffic.send(address)
    except (traffic.Unexpected, OSError) as error:
        raise Failed(log(), "the service gave an unexpected answer", str(error)) from error


def report(answers: collections.Counter[int], address: str) -> str:
    counted = ", ".join(f"{times} of {status}" for status, times in sorted(answers.items()))
    return f"""
  {answers.total()} requests were answered: {counted}
  One read, first from the database, then from the cache:
    {traffic.cost(address, "/items/2")}
    {traffic.cost(address, "/items/2")}

  Open {address}/status to see the service under load
  and look at {address}/health, {address}/metrics, {address}/docs
  and at one line for each request in {LOG.relative_to(baking.ROOT)}

  Traffic continues. Ctrl-C stops it."""


def serve(service: subprocess.Popen[bytes], address: str) -> None:
    """Send traffic until Ctrl-C. Raises Failed if the service ends by itself."""
    try:
        for path in itertools.cycle(traffic.STEADY):
            if service.poll() is not None:
                break
            with contextlib.suppress(OSError):  # if it ended, the next poll finds out
                traffic.ask("GET", address + path)
            time.sleep(traffic.PAUSE_SECONDS)
    except KeyboardInterrupt:
        return
    ended = f"the service ended by itself with status {service.returncode}"
    raise Failed(log(), ended, "it to serve until Ctrl-C")


def log() -> str:
    return LOG.read_text(encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
