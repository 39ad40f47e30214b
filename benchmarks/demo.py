"""What is it like to run a generated service? Generates one, starts it, sends traffic, serves."""

import collections
import contextlib
import itertools
import json
import os
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
WIRED = {  # a line of its app/main.py -> the line after it
    "import app.items.routes\n": "import app.reports.routes\n",
    "    errors.install(service)\n": (
        "    service.include_router(app.reports.routes.router(resources.items))\n"
    ),
}
OURS = f"demo-{os.getpid()}"  # the commit that the service gives: so we know that ours answers
START_WITHIN_SECONDS = 30


class Failed(Exception):
    """What was said, what failed, what was expected; the way out is the same for all."""

    def __init__(self, said: str, found: str, expected: str) -> None:
        super().__init__(
            f"{said.strip()}\n\n{found}; expected {expected}. Nothing is left running. "
            "Repair what it says above, then repeat: make demo"
        )


def main() -> int:
    """Show the whole way; 0 after Ctrl-C while it serves, 130 before that, 1 on a failure."""
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    try:
        project = step("generate a service with the defaults into build/demo/", generate)
        step("add a slow route, and one that asks the database too often", lambda: add(project))
        step("make setup: install from the locks", lambda: run(project, "make", "setup"))
        step(
            "make the tables",
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
        print("\nInterrupted. Nothing is left running; safe to repeat: make demo")
        return 130
    print("\nStopped. Nothing is left running; once more: make demo")
    return 0


def step(title: str, work: Callable[[], Done]) -> Done:
    """Say what begins, do it, and say how long it took."""
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
    """Show who sits at a terminal that a long step goes on."""
    while not over.wait(2):
        print("." if sys.stdout.isatty() else "", end="", flush=True)


def generate() -> Path:
    """Generate the service anew; what an earlier demo left is deleted."""
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
        if line not in text:
            raise Failed("", f"{main.name} has no line {line.strip()!r}", "it, to wire the demo")
        text = text.replace(line, line + next_line)
    main.write_text(text, encoding="utf-8")


def run(folder: Path, *command: str) -> None:
    """Run a program to its end. Raises Failed with what it said."""
    with launched(folder, command, subprocess.PIPE) as program:
        said, _ = program.communicate()
    if program.returncode:
        raise Failed(said.decode(), f"`{' '.join(command)}` ended with {program.returncode}", "0")


@contextlib.contextmanager
def started(project: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start the service on a free port of 127.0.0.1."""
    port = baking.free_port()
    settings = {"APP_PORT": str(port), "APP_COMMIT": OURS, "APP_DRAIN_SECONDS": "0"}
    command = (".venv/bin/python", "-m", "app")
    with LOG.open("wb") as lines, launched(project, command, lines, **settings) as service:
        yield service, f"http://127.0.0.1:{port}"


def wait_until_healthy(service: subprocess.Popen[bytes], address: str) -> None:
    """Wait until our own service says that it is well."""
    deadline = time.monotonic() + START_WITHIN_SECONDS
    while service.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            status, body, _ = traffic.ask("GET", f"{address}/health")
            if status == 200 and json.loads(body).get("releaseId") == OURS:
                return
        time.sleep(0.05)  # between two looks
    raise Failed(log(), "the service is not healthy", f"200 from {address}/health by now")


def send_traffic(address: str) -> collections.Counter[int]:
    try:
        return traffic.send(address)
    except (traffic.Unexpected, OSError) as error:
        raise Failed(log(), "the service did not answer as it should", str(error)) from error


def report(answers: collections.Counter[int], address: str) -> str:
    counted = ", ".join(f"{times} of {status}" for status, times in sorted(answers.items()))
    return f"""
  {answers.total()} requests were answered: {counted}
  What a read costs, first from the database, then from the cache:
    {traffic.cost(address, "/items/2")}
    {traffic.cost(address, "/items/2")}

  Open {address}/status to see the service under load
  and look at {address}/health, {address}/metrics, {address}/docs
  and at a line for each request in {LOG.relative_to(baking.ROOT)}

  Traffic goes on. Ctrl-C stops it."""


def serve(service: subprocess.Popen[bytes], address: str) -> None:
    """Send traffic until Ctrl-C. Raises Failed if the service ends by itself."""
    try:
        for path in itertools.cycle(traffic.STEADY):
            if service.poll() is not None:
                break
            with contextlib.suppress(OSError):  # if it ended, the next look tells
                traffic.ask("GET", address + path)
            time.sleep(traffic.PAUSE_SECONDS)
    except KeyboardInterrupt:
        return
    ended = f"the service ended by itself with {service.returncode}"
    raise Failed(log(), ended, "it to serve until Ctrl-C")


def log() -> str:
    return LOG.read_text(encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
