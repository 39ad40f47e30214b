"""Which changes came since the last release, and is each of them on record?

A record answers for every commit since the record before it, up to the commit that adds or
changes it: so it may be written first and completed last, and one written later heals a gap.
"""

from typing import NamedTuple

from vitals.ops.release import changes, versions
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

WATCHED = ("app/", "config/", "migrations/", "requirements.txt")  # a change of these has a record
FILES_SHOWN = 12


class Since(NamedTuple):
    records: dict[str, list[str]]  # each with the files that it answers for
    unrecorded: list[str]
    lost: list[str]


def last_release() -> str | None:
    """The newest version that this commit contains, as far as it is known here.

    Raises `Refused` where only a part of the history is here.
    """
    if not git.says_yes("rev-parse", "--verify", "--quiet", "HEAD"):
        return None
    found = versions.newest(git.git("tag", "--merged", "HEAD").splitlines())
    if found is None and git.git("rev-parse", "--is-shallow-repository") == "true":
        expected = "its releases and all commits since the last one"
        raise Refused("a part of the history", expected, "`git fetch --unshallow --tags`")
    return found


def since(release: str | None) -> Since:
    """What was recorded, changed and lost since a commit or tag; None is since the beginning."""
    before = set(_lines("ls-tree", "-r", "--name-only", release, "changes/") if release else [])
    new = sorted({changes.named(path) for path in changes.folder().glob("*.toml")} - before)
    lost = sorted(name for name in before if not (shell.ROOT / name).exists())
    touched: dict[str, set[str]] = {name: set() for name in new}
    tree, pending = git.tree_hash(), set[str]()
    for files in _history(release, tree):
        pending |= {name for name in files if not name.startswith("changes/")}
        if recorded := files & touched.keys():
            for name in recorded:
                touched[name] |= pending
            pending = set()
    watched = {name for name in pending if name.startswith(WATCHED)}
    unrecorded = sorted(watched & _between(release, tree)) if watched and release else []
    return Since({name: sorted(files) for name, files in touched.items()}, unrecorded, lost)


def faults(found: Since, release: str | None) -> list[str]:
    """What stands against a release, each with the file, what is expected and the fix."""
    wrong = [fault for name in found.records for fault in changes.read(shell.ROOT / name)[1]]
    wrong += [
        f"{name}: moved or deleted; expected to stay where it is. "
        f"Fix: `git checkout {release} -- {name}`"
        for name in found.lost
    ]
    if found.unrecorded:
        wrong.append(
            f"{_shortened(found.unrecorded)}: changed since the last record; expected a record in "
            'changes/. Fix: `make change TITLE="…"`'
        )
    return wrong


def text(found: Since) -> str:
    """The notes of a release, as its tag bears them."""
    return "\n\n".join(_entry(name, files) for name, files in found.records.items())


def check() -> str:
    """Look at all records since the last release; return how many there are.

    Raises `Refused` with all faults.
    """
    if not git.is_repository():
        return "no git repository: nothing to compare with"
    release = last_release()
    found = since(release)
    if wrong := faults(found, release):
        raise Refused(f"faults in changes/: {len(wrong)}", output="\n".join(wrong))
    return f"{len(found.records)} records since {release or 'the beginning: no release yet'}"


def _history(release: str | None, tree: str | None) -> list[set[str]]:
    """The files of each commit of the branch since the release, then of what is not committed."""
    if not git.says_yes("rev-parse", "--verify", "--quiet", "HEAD"):
        return [set(_lines("ls-files", "--cached", "--others", "--exclude-standard"))]
    reach = f"{release}..HEAD" if release else "HEAD"
    options = ["--first-parent", "-m", "--reverse", "--no-renames", "--name-only"]
    log = "\n".join(_lines("log", *options, "--format=%x00", reach, "--"))
    committed = [{line for line in part.splitlines() if line} for part in log.split("\0")]
    return [*committed, _between("HEAD", tree)]


def _between(commit: str, tree: str | None) -> set[str]:
    """The files that differ between a commit and the tree of all files as they lie here."""
    return set(_lines("diff", "--no-renames", "--name-only", commit, tree or "HEAD"))


def _lines(*words: str) -> list[str]:
    return git.git("-c", "core.quotePath=false", *words).splitlines()


def _entry(name: str, files: list[str]) -> str:
    record, _ = changes.read(shell.ROOT / name)
    measured = record.get("measured")
    rest = {
        "why": record["reason"],
        "expected": record["expected"],
        "measured": changes.measurement(measured) if measured else f"no: {record['not_measured']}",
        "assumes": record.get("assumptions", ""),
        "rollback": record["rollback"],
        "files": _shortened(files),
        "record": name,
    }
    lines = [f"  {word}: {said}" for word, said in rest.items() if said]
    return "\n".join([f"- {record['change']} ({record['owner']})", *lines])


def _shortened(files: list[str]) -> str:
    more = len(files) - FILES_SHOWN
    return ", ".join(files[:FILES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def main() -> None:
    """Say how many records there are."""
    steps.say(check())


if __name__ == "__main__":
    steps.exit_with(main)
