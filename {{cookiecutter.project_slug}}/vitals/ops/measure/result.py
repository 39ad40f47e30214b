"""Where is a measurement kept? In build/measurements, under the commit that was measured."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from vitals.ops.run import git, shell

FOLDER = shell.ROOT / "build" / "measurements"


class Row(TypedDict):
    """One vital on both sides; low and high are the ends of the interval of after - before."""

    metric: str
    unit: str
    before: float
    after: float
    low: float
    high: float
    seen: bool
    better: bool
    verdict: str


def commit() -> str:
    """What is measured here: the commit, with a mark if files differ from it."""
    if not git.is_repository() or not git.says_yes("rev-parse", "--verify", "--quiet", "HEAD"):
        return "no-commit"
    same = git.tree_hash() == git.git("rev-parse", "HEAD^{tree}")
    return git.git("rev-parse", "--short=12", "HEAD") + ("" if same else "-changed")


def write(name: str, found: Mapping[str, object]) -> Path:
    """Keep a result, as `vitals.ops.release.changes` reads it; return where."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    whole = {**found, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
