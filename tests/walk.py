"""Tutorial pages: runs the blocks of a page one after the other in a project.

A block is one of three kinds: ```console has commands after `$ `; ```diff is applied; any other
block is a file, whose path is the line before it, in backticks and followed by a colon.
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
    file: str  # the path, for a block that is a file
    text: str


def blocks(page: str) -> list[Block]:
    """All blocks of a page in order. Raises ValueError for a block that cannot be run."""
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
    """Run a page in the project; skip commands that start with one of `without`.

    Raises AssertionError with the output of the command that fails.
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
    """Make a fresh project a git repository with one commit."""
    run(project, 'git init -q -b main && git add -A && git commit -q -m "Start"')
    return project


def run(project: Path, command: str, given: str = "") -> str:
    """Run a command in a shell; return its output, or raise AssertionError with it."""
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
    return done.stdout
