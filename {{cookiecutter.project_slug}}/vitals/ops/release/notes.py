"""Release notes: the records since the last release, and the changes that have none.

A record covers every commit since the record before it, up to the commit that adds or changes it:
so it may be written first and completed last, and one written later closes a gap.
"""

from typing import NamedTuple

from vitals.ops.release import changes, releases
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

# What needs a record. Not vitals/: the template's changes come whole with `make update` and have
# notes of their own, and `make check` names an engine file that was edited here.
WATCHED = ("app/", "config/", "migrations/", "requirements.txt")
FILES_SHOWN = 12


class Since(NamedTuple):
    records: dict[str, list[str]]  # each with the files that it covers
    unrecorded: list[str]
    lost: list[str]


def since(release: str | None) -> Since:
    """Return what was recorded, changed and lost since a commit or tag; None is the beginning."""
    before = set(_lines("ls-tree", "-r", "--name-only", release, "changes/") if release else [])
    here = {changes.named(path) for path in (shell.ROOT / changes.FOLDER).glob("*.toml")}
    lost = sorted(name for name in before if not (shell.ROOT / name).exists())
    covered: dict[str, set[str]] = {name: set() for name in sorted(here - before)}
    tree, pending = git.tree_hash() or "HEAD", set[str]()
    for files in _changed_files(release, tree):
        pending |= {name for name in files if not name.startswith("changes/")}
        if recorded := files & covered.keys():
            for name in recorded:
                covered[name] |= pending
            pending = set()
    unrecorded = {name for name in pending if name.startswith(WATCHED)}
    unrecorded &= _difference(release, tree) if release else set()
    return Since({name: sorted(files) for name, files in covered.items()}, sorted(unrecorded), lost)


def faults(found: Since, release: str | None) -> list[str]:
    """Return what keeps a release from leaving, each with the file and the fix."""
    wrong = [fault for name in found.records for fault in changes.read(shell.ROOT / name)[1]]
    wrong += [
        f"{name}: moved or deleted; records stay. Fix: `git checkout {release} -- {name}`"
        for name in found.lost
    ]
    if found.unrecorded:
        unrecorded = f"{_shortened(found.unrecorded)}: changed since the last record"
        wrong.append(f'{unrecorded}; expected one in changes/. Fix: `make change TITLE="…"`')
    return wrong


def text(found: Since) -> str:
    """Return the notes of a release, as its tag contains them."""
    return "\n\n".join(_entry(name, files) for name, files in found.records.items())


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
    found = since(release)
    if wrong := faults(found, release):
        raise Refused(f"faults in changes/: {len(wrong)}", output="\n".join(wrong))
    return f"{len(found.records)} records since {release or 'the beginning: no release yet'}"


def _changed_files(release: str | None, tree: str) -> list[set[str]]:
    """Return the files of each commit of the branch since the release, then the uncommitted."""
    if not git.succeeds("rev-parse", "--verify", "--quiet", "HEAD"):
        return [set(_lines("ls-files", "--cached", "--others", "--exclude-standard"))]
    reach = f"{release}..HEAD" if release else "HEAD"
    options = ["--first-parent", "-m", "--reverse", "--no-renames", "--name-only"]
    log = "\n".join(_lines("log", *options, "--format=%x00", reach, "--"))
    committed = [set(part.splitlines()) - {""} for part in log.split("\0")]
    return [*committed, _difference("HEAD", tree)]


def _difference(commit: str, tree: str) -> set[str]:
    return set(_lines("diff", "--no-renames", "--name-only", commit, tree))


def _lines(*words: str) -> list[str]:
    return git.git("-c", "core.quotePath=false", *words).splitlines()


def _entry(name: str, files: list[str]) -> str:
    record, _ = changes.read(shell.ROOT / name)
    not_measured = record.get("not_measured")
    rest = {
        "why": record["reason"],
        "expected": record["expected"],
        "measured": f"no: {not_measured}" if not_measured else changes.measurement(record),
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
    """Say how many records there are."""
    steps.say(check())


if __name__ == "__main__":
    steps.exit_with(main)
