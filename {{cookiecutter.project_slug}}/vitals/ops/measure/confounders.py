"""What changed beside what was meant? With two changes at once no difference belongs to one."""

import os

from vitals.ops import services
from vitals.ops.run import git

KINDS = {
    "config": "settings",
    "requirements.txt": "dependencies",
    "migrations": "the schema",
}


def changed(files: list[str]) -> list[str]:
    """The variables that these files are; tests, documents and tools are none."""
    found = set()
    for file in files:
        first, *rest = file.split("/")
        if first == "app":
            found.add(f"app/{rest[0]}" if len(rest) > 1 else "app's own files")
        elif first in KINDS and file != "config/slo.toml":
            found.add(KINDS[first])
    return sorted(found)


def warnings(base: str) -> list[str]:
    """What makes a comparison with the commit doubtful."""
    files = git.git(
        "-c",
        "core.quotePath=false",
        "diff",
        "--no-renames",
        "--name-only",
        base,
        str(git.tree_hash()),
    )
    found = changed(files.splitlines())
    told = []
    if len(found) > 1:
        told.append(f"more than one variable changed: {', '.join(found)}")
    given = [service.given_by for service in services.known() if service.given_by in os.environ]
    if given:
        told.append(f"both sides share what is at {', '.join(given)}: no change of it is seen")
    return told
