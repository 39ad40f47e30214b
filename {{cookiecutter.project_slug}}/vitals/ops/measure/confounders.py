"""Confounders of a comparison: with two changes at once, a difference belongs to neither."""

import os
from collections.abc import Iterable

from vitals.ops import services
from vitals.ops.release import notes
from vitals.ops.run import git

RUNS = ("app", "config", "migrations", "requirements.txt", "vitals")


def changed(files: Iterable[str]) -> list[str]:
    """Name the features and folders whose files these are; what does not run is left out."""
    found = set()
    for file in files:
        first, *rest = file.split("/")
        if first in RUNS and file != "config/slo.toml" and not file.startswith("vitals/ops/"):
            found.add(f"app/{rest[0]}" if first == "app" and len(rest) > 1 else first)
    return sorted(found)


def warnings(base: str) -> list[str]:
    """Return what makes a comparison with the commit doubtful."""
    found = changed(notes.difference(base, str(git.tree_hash())))
    doubts = [f"more than one thing changed: {', '.join(found)}"] if len(found) > 1 else []
    given = [service.given_by for service in services.known() if service.given_by in os.environ]
    if given:
        doubts.append(f"both use the server at {', '.join(given)}: its changes are not seen")
    return doubts
