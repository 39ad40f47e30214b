"""Release notes: the records since the last release, and the changes that have none.

A record covers every commit since the record before it, up to the commit that adds or changes it:
so it may be written first and completed last, and one written later closes a gap.
"""

import re
from itertools import pairwise
from typing import NamedTuple

from vitals.ops.release import changes, releases
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

# What needs a record. Not vitals/: the template's changes come whole with `make update` and have
# notes of their own, and `make check` names an engine file that was edited here.
WATCHED = ("app/", "config/", "migrations/")
LOCK = "requirements.txt"  # its changes need no record: the notes list them
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)
FILES_SHOWN = 12


class Since(NamedTuple):
    records: dict[str, list[str]]  # each with the files that it covers
    faults: list[str]  # what keeps a release from leaving, each with the file and the fix


def since(release: str | None) -> Since:
    """Return what was recorded since a commit or tag, and what is wrong; None is the beginning."""
    before = set(_lines("ls-tree", "-r", "--name-only", release, "changes/") if release else [])
    here = {changes.named(path) for path in (shell.ROOT / changes.FOLDER).glob("*.toml")}
    records: dict[str, set[str]] = {name: set() for name in sorted(here - before)}
    pending = set[str]()
    trees = _trees(release)
    for earlier, later in pairwise(trees):
        files = difference(earlier, later)
        pending |= {name for name in files if not name.startswith("changes/")}
        if recorded := files & records.keys():
            for name in recorded:
                records[name] |= pending
            pending = set()
    faults = [fault for name in records for fault in changes.read(shell.ROOT / name)[1]]
    faults += [
        f"{name}: moved or deleted; records stay. Fix: `git checkout {release} -- {name}`"
        for name in sorted(before)
        if not (shell.ROOT / name).exists()
    ]
    pending &= difference(trees[0], trees[-1])  # what was reverted needs no record
    unrecorded = sorted(name for name in pending if name.startswith(WATCHED))
    if unrecorded and release:
        found = f"{_shortened(unrecorded)}: changed since the last record"
        faults.append(f'{found}; expected one in changes/. Fix: `make change TITLE="…"`')
    return Since({name: sorted(files) for name, files in records.items()}, faults)


def difference(earlier: str, later: str) -> set[str]:
    return set(_lines("diff", "--no-renames", "--name-only", earlier, later))


def text(found: Since, release: str | None = None) -> str:
    entries = [_entry(name, files) for name, files in found.records.items()]
    moved = packages(release)
    entries += ["- Packages\n" + "\n".join(f"  {line}" for line in moved)] if moved else []
    return "\n\n".join(entries)


def packages(release: str | None) -> list[str]:
    """Return what the lock of the running service changed since a commit or tag."""
    if release is None or not git.succeeds("cat-file", "-e", f"{release}:{LOCK}"):
        return []
    now, lines = shell.ROOT / LOCK, PIN.findall
    before = dict(lines(git.git("show", f"{release}:{LOCK}")))
    after = dict(lines(now.read_text(encoding="utf-8") if now.exists() else ""))
    names = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    return [f"{n}: {before.get(n, 'new')} → {after.get(n, 'gone')}" for n in names]


def check() -> str:
    """Check all records since the last release; return how many there are.

    Raises `Refused` with all faults, and where only a part of the history is here.
    """
    if not git.is_repository():
        return "no git repository: nothing to compare with"
    release = releases.last_version()
    if release is None and git.git("rev-parse", "--is-shallow-repository") == "true":
        expected = "its releases and all commits since the last one"
        raise Refused("a part of the history", expected, "`git fetch --unshallow --tags`")
    number = len(complete(release).records)
    return f"{number} records since {release or 'the beginning: no release yet'}"


def complete(release: str | None) -> Since:
    """Return what was recorded since a commit or tag. Raises `Refused` with all faults."""
    found = since(release)
    if found.faults:
        raise Refused(f"faults in changes/: {len(found.faults)}", output="\n".join(found.faults))
    return found


def breaking(found: Since) -> list[str]:
    return [name for name in found.records if "breaks" in changes.read(shell.ROOT / name)[0]]


def _trees(release: str | None) -> list[str]:
    """Return the release, each commit of the branch since then that touches a record, and now."""
    reach = f"{release}..HEAD" if release else "HEAD"
    options = ["--ignore-missing", "--first-parent", "--reverse"]  # missing: HEAD at first
    commits = _lines("rev-list", *options, reach, "--", "changes/")
    beginning = release or git.git("hash-object", "-t", "tree", "/dev/null")
    return [beginning, *commits, git.tree_hash() or "HEAD"]


def _lines(*words: str) -> list[str]:
    return git.git("-c", "core.quotePath=false", *words).splitlines()


def _entry(name: str, files: list[str]) -> str:
    record, _ = changes.read(shell.ROOT / name)
    not_measured = record.get("not_measured")
    rest = {
        "why": record["reason"],
        "expected": record["expected"],
        "measured": f"no: {not_measured}" if not_measured else changes.measurement(record),
        "breaks": record.get("breaks"),
        "assumes": record.get("assumptions"),
        "rollback": record["rollback"],
        "files": _shortened(files),
        "record": name,
    }
    lines = [f"  {name}: {value}" for name, value in rest.items() if value]
    return "\n".join([f"- {record['change']} ({record['owner']})", *lines])


def _shortened(files: list[str]) -> str:
    more = len(files) - FILES_SHOWN
    return ", ".join(files[:FILES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def main() -> None:
    steps.say(check())


if __name__ == "__main__":
    steps.exit_with(main)
