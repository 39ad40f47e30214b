"""Does a page that leads through a change lead to where it says? Plays it, block by block.

A block is one of three kinds: ```console has commands behind `$ `; ```diff is applied; any other
is a file, whose path is the line before, in backticks and with a colon behind.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests import baking

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^`([\w./-]+)`:\n+\Z", re.MULTILINE)
MINUTES = 8
WRITER = {
    "GIT_AUTHOR_NAME": "A reader",
    "GIT_AUTHOR_EMAIL": "reader@example.com",
    "GIT_COMMITTER_NAME": "A reader",
    "GIT_COMMITTER_EMAIL": "reader@example.com",
}


class Block(NamedTuple):
    kind: str
    file: str  # of a file: where it is written
    text: str


def blocks(page: str) -> list[Block]:
    """All blocks of a page in their order. Raises ValueError for one that can't be played."""
    found = []
    for fence in FENCE.finditer(page):
        kind, text = fence.groups()
        named = NAMED.search(page, 0, fence.start())
        if kind == "console":
            if unknown := [line for line in text.splitlines() if not line.startswith("$ ")]:
                raise ValueError(f"neither command nor empty: {unknown[0]}")
        elif kind != "diff" and not named:
            raise ValueError(f"no path before the block that starts with: {text.splitlines()[:1]}")
        found.append(Block(kind, named[1] if named else "", text))
    if page.count("```") != 2 * len(found):
        raise ValueError("a fence that opens no block, or closes none")
    return found


def play(page: Path, project: Path, *, without: tuple[str, ...] = ()) -> None:
    """Do in the project what its page says, but for commands `without` which it is played quickly.

    Raises AssertionError with the output of what fails.
    """
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.kind == "console":
            for command in block.text.removeprefix("$ ").rstrip().split("\n$ "):
                if not command.startswith(without):
                    run(project, command)
        elif block.kind == "diff":
            run(project, "git apply --recount --unidiff-zero", block.text)
        else:
            (project / block.file).parent.mkdir(parents=True, exist_ok=True)
            (project / block.file).write_text(block.text, encoding="utf-8")


def repository(project: Path) -> Path:
    """Make a fresh project a repository with one commit, as the last words of its making say."""
    run(project, 'git init -q -b main && git add -A && git commit -q -m "Start"')
    return project


def run(project: Path, command: str, given: str = "") -> None:
    """Type a command into a shell. Raises AssertionError with its output when it fails."""
    done = subprocess.run(
        [shutil.which("bash") or "sh", "-ec", command],
        cwd=project,
        env=baking.environment(**WRITER),
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    assert done.returncode == 0, f"$ {command}\n{given}{os.linesep}{done.stdout}"
