"""Results of measurements: stored in build/measurements, under the commit that was measured."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from vitals.ops.run import git, shell, steps

FOLDER = shell.ROOT / "build" / "measurements"


def commit() -> str:
    """Name what is measured here: the commit, with a mark if files differ from it."""
    if not git.has_commit():
        return "no-commit"
    same = git.tree_hash() == git.git("rev-parse", "HEAD^{tree}")
    return git.git("rev-parse", "--short=12", "HEAD") + ("" if same else "-changed")


def store(name: str, found: Mapping[str, object]) -> Path:
    """Write a result, as `vitals.ops.release.changes` reads it; return its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    whole = {**found, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    steps.say(f"stored in {path.relative_to(shell.ROOT)}")
    return path
