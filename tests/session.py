"""README.md's sessions: `python -m tests.session` runs them and writes their output into it.

A session is a ```console block: lines that start with `$ ` are commands for one bash, the others
are its output.
"""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests import baking

README = baking.ROOT / "README.md"
BLOCK = re.compile(r"(?<=```console\n).*?(?=```\n)", re.DOTALL)
# pytest's minutes, and what depends on the machine
VARIES = re.compile(r" \(\d+:\d\d:\d\d\)|; compose .*|; not run: .*|\nnot run: .*")
COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)
READER = {
    "GIT_AUTHOR_NAME": "A reader",
    "GIT_AUTHOR_EMAIL": "reader@example.com",
    "GIT_COMMITTER_NAME": "A reader",
    "GIT_COMMITTER_EMAIL": "reader@example.com",
}


def blocks(readme: str) -> list[str]:
    """The sessions in the order of the page: `make demo`, then a new service."""
    return BLOCK.findall(readme)


def without_figures(said: str) -> str:
    """The output without what differs between runs or machines, and without padding."""
    return re.sub(r"[ \d]*\d[\d.]*", " # ", VARIES.sub("", said)).rstrip()


def play(session: str, folder: Path) -> str:
    """Run the session's commands beside a copy of the template; return them with their output."""
    (folder / "vitals").symlink_to(baking.template())
    (folder / "services").mkdir()
    commands = COMMAND.findall(session)
    played = subprocess.run(
        ["bash", "-c", "\n".join(f"printf '\\0'\n{command}" for command in commands)],
        cwd=folder / "services",
        env=baking.environment(
            PATH=f"{os.environ['PATH']}:{Path(sys.executable).parent}",
            COOKIECUTTER_CONFIG=str(baking.user_config()),
            **READER,
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = played.stdout.split("\0")[1:]
    return "".join(f"$ {command}\n{lines}" for command, lines in zip(commands, said, strict=True))


class Demo:
    """A demo as a terminal runs it: a group of processes that all receive Ctrl-C."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("wb") as lines:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.demo"],
                cwd=baking.ROOT,
                env=baking.environment(),
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        baking.wait_until(lambda: text in self.said() or self.process.poll() is not None, 120)
        assert text in self.said(), self.said()

    def press_ctrl_c(self) -> list[psutil.Process]:
        """Interrupt it as a terminal does; return its child processes."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        os.killpg(self.process.pid, signal.SIGINT)
        return started


@contextlib.contextmanager
def demo(log: Path) -> Iterator[Demo]:
    with README.open() as turn:  # there is one build/demo
        fcntl.flock(turn, fcntl.LOCK_EX)
        running = Demo(log)
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.process.terminate()
            running.process.wait(60)


def show_demo(log: str) -> str:
    return f"$ make demo\n{log.rstrip()}\n"


def main() -> None:
    """Run the sessions of README.md and replace their output."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with demo(folder / "demo.log") as running:
            running.wait_for("Ctrl-C stops it.")
            running.press_ctrl_c()
            running.process.wait(60)
        own = play(blocks(README.read_text(encoding="utf-8"))[1], folder)
        fresh = iter([show_demo(running.said()), own])
    README.write_text(
        BLOCK.sub(lambda _: next(fresh), README.read_text(encoding="utf-8")), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
