"""Confounders of a comparison: with two changes at once, a difference belongs to neither."""

import os

from vitals.ops import services
from vitals.ops.run import git

KINDS = {
    "config": "settings",
    "requirements.txt": "dependencies",
    "migrations": "the schema",
    "vitals": "the engine",
}


def changed(files: list[str]) -> list[str]:
    """Name what these files change; tests, documents and vitals/ops change nothing that runs."""
    found = set()
    for file in files:
        first, *rest = file.split("/")
        if first == "app":
            found.add(f"app/{rest[0]}" if len(rest) > 1 else "app's own files")
        elif first in KINDS and file != "config/slo.toml" and not file.startswith("vitals/ops/"):
            found.add(KINDS[first])
    return sorted(found)


def warnings(base: str) -> list[str]:
    """Return what makes a comparison with the commit doubtful."""
    names = ("diff", "--no-renames", "--name-only", base, str(git.tree_hash()))
    found = changed(git.git("-c", "core.quotePath=false", *names).splitlines())
    doubts = []
    if len(found) > 1:
        doubts.append(f"more than one thing changed: {', '.join(found)}")
    given = [service.given_by for service in services.known() if service.given_by in os.environ]
    if given:
        doubts.append(f"both use the server at {', '.join(given)}: its changes are not seen")
    return doubts
