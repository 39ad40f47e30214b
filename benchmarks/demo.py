"""The demo: generates a service, starts it, sends traffic and serves until Ctrl-C.

BREAK=database runs it on a throw-away PostgreSQL, which is stopped for 20 s and continued.
"""

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
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import traffic
from benchmarks.demo_database import Database
from benchmarks.programs import Failed, launched
from benchmarks.progress import step
from tests import baking

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


def main() -> int:
    """Run the demo. Returns 0 after Ctrl-C while it serves, 130 before that, 1 on a failure."""
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    try:
        run_demo(os.environ.get("BREAK", ""))
    except Failed as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing is left running. Safe to retry: make demo")
        return 130
    print("\nStopped. Nothing is left running. To run it again: make demo")
    return 0


def run_demo(broken: str) -> None:
    """Generate, start and serve until Ctrl-C."""
    if broken not in ("", "database"):
        raise Failed("", f"BREAK={broken}", "database")
    project = step(" ", "generate", generate)
    add(project)
    step(",", "make setup", lambda: run(project, "make", "setup"))
    with contextlib.ExitStack() as stack:
        database, settings = None, LOCAL
        if broken:
            database = stack.enter_context(step(",", "PostgreSQL", lambda: Database(project)))
            settings = {**LOCAL, "APP_DATABASE_URL": database.url}
        migrate = (".venv/bin/python", "-m", "vitals.ops.project.migration")
        step(",", "migrate", lambda: run(project, *migrate, **settings))
        service, address = stack.enter_context(started(project, settings))
        step(",", "start", lambda: wait_until_healthy(service, address))
        answers = step(",", "traffic", lambda: send_traffic(address))
        print(report(answers, address, database), flush=True)
        serve(service, address, database)


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


def run(folder: Path, *command: str, **settings: str) -> None:
    """Run a program to its end. Raises Failed with its output."""
    with launched(folder, command, subprocess.PIPE, **settings) as program:
        said, _ = program.communicate()
    if program.returncode:
        raise Failed(said.decode(), f"`{' '.join(command)}` ended with {program.returncode}", "0")


@contextlib.contextmanager
def started(project: Path, given: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start the service on a free port of 127.0.0.1."""
    port = baking.free_port()
    settings = {**given, "APP_PORT": str(port), "APP_COMMIT": OURS, "APP_DRAIN_SECONDS": "0"}
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


def report(answers: collections.Counter[int], address: str, database: Database | None) -> str:
    first, second = (traffic.cost(address, "/items/2") for _ in range(2))
    breaks = database.PLAN if database else "Ctrl-C, then make demo BREAK=database"
    return f"""; {answers.total()} requests

  1. Its page, under load:  {address}/status
  2. One request, twice:    {first}
                            {second}
  3. A line for each:       {LOG.relative_to(baking.ROOT)}
  4. Break its database:    {breaks}

  Traffic continues. Ctrl-C stops it."""


def serve(service: subprocess.Popen[bytes], address: str, database: Database | None) -> None:
    """Send traffic until Ctrl-C. Raises Failed if the service ends by itself."""
    events = [] if database is None else database.events(address)
    try:
        for path in itertools.cycle(traffic.STEADY):
            if service.poll() is not None:
                break
            if events and time.monotonic() > events[0][0]:
                _, said, act = events.pop(0)
                act()
                print(f"\n  {said}", flush=True)
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
