"""What does git know of this project? The only module that starts git."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ops.steps import Refused

ROOT = Path(__file__).parents[1]


def git(*words: str, index: Path | None = None) -> str:
    """Run git in the project; return its answer without the last line end.

    Raises `Refused` with git's own words when it fails.
    """
    environment = {**os.environ, "GIT_INDEX_FILE": str(index)} if index else None
    finished = subprocess.run(
        ["git", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        raise Refused(f"git {words[0]} failed", output=finished.stderr)
    return finished.stdout.rstrip("\n")


def is_repository() -> bool:
    """Whether this folder is a repository of its own, not one inside another's."""
    if shutil.which("git") is None:
        return False
    try:
        return Path(git("rev-parse", "--show-toplevel")).resolve() == ROOT.resolve()
    except Refused:
        return False


def tree_hash() -> str | None:
    """The tree of all files as they lie here, tracked or not ignored; None without a repository.

    The user's index is not touched: git works on a copy.
    """
    if not is_repository():
        return None
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder, "index")
        current = ROOT / git("rev-parse", "--git-path", "index")
        if current.exists():
            shutil.copyfile(current, index)
        git("add", "--all", index=index)
        return git("write-tree", index=index)
