"""Template update: merges a newer version of the template into this tree, and commits nothing.

The version that this project was made from and the newer one are generated from the recorded
answers in a throw-away folder, and git merges their difference into this tree, renames followed.
Changed answers are such a difference too, within one version or on the way to a newer one.
The code of a released template runs for that, as it did when this project was generated.
"""

import os
import shutil
import tempfile
from pathlib import Path

from vitals.ops.check import engine
from vitals.ops.project import answers, lock, template
from vitals.ops.release import versions
from vitals.ops.run import git, interrupts, shell, steps
from vitals.ops.run.steps import Refused

BACK = "`git reset --hard` goes back"
IN_PROGRESS = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
ADDED = ("diff", "--name-only", "--diff-filter=A", "--no-renames", "-z")
CONFLICTS = {  # who has the file: 1 both before, 2 this project, 3 the template
    "123": "both changed it",
    "23": "both added it",
    "13": "you deleted it, the template changed it",
    "12": "you changed it, the template deleted it",
    "1": "both moved it, to different places",
    "2": "you added or moved it",
    "3": "the template added or moved it",
}


def take_in(address: str, wanted: str, changed: str = "") -> bool:
    """Merge a newer version into the tree, the newest or the one wanted; False if there is none.

    With changed answers the version stays, unless one is wanted.

    Raises `Refused` before anything is changed, or with the conflicts that are left in the tree.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            change = newer(Path(folder), address, wanted, answers.given(changed))
        except Refused as refusal:
            refusal.fix = f"{refusal.fix or 'see above'}. Nothing was changed; safe to retry"
            raise
    if change is None:
        return False
    conflicts = settle_locks(settle_manifest(merge(change)))
    if conflicts:
        width = max(map(len, conflicts))
        listed = (f"  {path:<{width}}  {kind}" for path, kind in conflicts.items())
        raise Refused(
            f"{len(conflicts)} conflicts: the new version is in, and not yet right",
            fix=f"settle each, `git add` it, `make check`, `git commit`. {BACK}",
            output="\n".join(["conflicts:", *listed]),
        )
    return True


def newer(folder: Path, address: str, wanted: str, changed: dict[str, str]) -> str | None:
    """A commit of what a newer version and changed answers change; None where there is nothing."""
    fit_for_a_merge()
    record = template.recorded(shell.ROOT)
    address = address or str(record["template"])
    if not address or address.startswith("-"):
        found = f"TEMPLATE={address}" if address else f"no template in {template.RECORD}"
        raise Refused(found, "its git address or folder", "`make update TEMPLATE=<git address>`")
    version = ""
    if wanted or not changed:
        steps.say(f"asking {address} for its versions …")
        version = template.released(address, wanted)
    source = template.Template(folder, address, record)
    base = source.made_from()
    since = source.version_in(base) or ""
    if version and since and versions.newest((since, version)) == since:
        if since != version:
            raise Refused(f"VERSION={version}", f"one after {since}", "leave VERSION out")
        version = ""
    target = source.commit(f"refs/tags/{version}") if version else base
    answers.check(changed, source.questions(target))
    if not version and changed.items() <= record["answers"].items():
        newest = "" if wanted else ", the newest"
        steps.say("these answers are recorded already" if changed else f"already {since}{newest}")
        return None
    start, said = since or base[:10], " ".join("=".join(pair) for pair in changed.items())
    steps.say(f"generating {start} and {version or start}{said and f' with {said}'} …")
    new, old = source.generate(target, changed), source.generate(base)
    for line in answers.consequences(old, new, changed):
        steps.say(f"  {line}")
    shutil.copy(shell.ROOT / template.RECORD, old)
    title = f"Take in {version} of the template" if version else f"Answer {said}"
    return change_between(old, new, title)


def fit_for_a_merge() -> None:
    """Raise `Refused` unless all that is here is committed, and nothing else is under way."""
    git.head()
    for name, what in IN_PROGRESS.items():
        if (shell.ROOT / git.git("rev-parse", "--git-path", name)).exists():
            raise Refused(f"a {what} in progress", "none", f"finish it, or `git {what} --abort`")
    if changed := git.git("status", "--porcelain", "--untracked-files=no").splitlines():
        found = f"{len(changed)} files with uncommitted changes"
        raise Refused(found, "none, so that there is a way back", "`git commit` or `git stash`")


def change_between(old: Path, new: Path, title: str) -> str:
    """A commit of the difference. Raises `Refused` where a file of yours would be overwritten."""
    before = template.commit_of(old, "Before")
    change = template.commit_of(new, title, before)
    added = git.git(*ADDED, before, change).split("\0")
    tracked = git.git("ls-files", "-z").split("\0")
    if way := [name for name in {*added} - {*tracked, ""} if os.path.lexists(shell.ROOT / name)]:
        found = f"files in the way that git does not know: {', '.join(sorted(way))}"
        raise Refused(found, "room for what the template adds", "move or commit them")
    return change


def merge(change: str) -> dict[str, str]:
    """Bring a change into the tree and the index; return the conflicts, which are marked there.

    Comes to its end though Ctrl-C is pressed. Raises `Refused` when git does not begin.
    """
    with interrupts.finishing("merging: one moment. Ctrl-C again gives up half-way"):
        try:
            picked = git.cherry_pick(change)
        except KeyboardInterrupt:
            fix = f"{BACK}, and `git status` shows which new files are left"
            raise Refused("given up half-way through the merge", fix=fix) from None
        conflicts = unmerged()
        if picked.code and not conflicts:
            found = "git did not merge: nothing was changed"
            raise Refused(found, fix="see above", output=picked.output)
        changed = len(git.git("diff", "--name-only", "HEAD").splitlines())
        steps.say(f"merged: {changed} files changed, nothing was committed. {BACK}")
    return {path: CONFLICTS[sides] for path, sides in conflicts.items()}


def unmerged() -> dict[str, str]:
    """The files with a conflict, and who has them: 1 both before, 2 here, 3 there."""
    sides: dict[str, str] = {}
    for entry in filter(None, git.git("ls-files", "--unmerged", "-z").split("\0")):
        found, _, path = entry.partition("\t")
        sides[path] = sides.get(path, "") + found[-1]
    return sides


def settle_manifest(conflicts: dict[str, str]) -> dict[str, str]:
    """Take the template's MANIFEST of the engine, whatever this project has; return the rest."""
    if conflicts.pop(engine.MANIFEST, ""):
        git.git("checkout", "--theirs", "--", engine.MANIFEST)
        git.git("add", "--", engine.MANIFEST)
    return conflicts


def settle_locks(conflicts: dict[str, str]) -> dict[str, str]:
    """Write the locks anew where only they conflict; return the conflicts that are left.

    They hold the template's pins then, and those of packages that only this project has.
    """
    locks = [file for file, *_ in lock.LOCKS if conflicts.get(file) == CONFLICTS["123"]]
    for file in locks:
        mine, theirs = (git.git("show", f":{side}:{file}") for side in (2, 3))
        (shell.ROOT / file).write_text(lock.joined(theirs, mine), encoding="utf-8")
        conflicts[file] += "; `make lock` writes it anew"
    if not locks or len(locks) < len(conflicts):
        return conflicts
    steps.say(f"{', '.join(locks)}: both changed, so they are written anew …")
    if shell.run([shell.PYTHON, "-m", "vitals.ops.project.lock"]).code:
        return conflicts
    git.git("add", "--", *(file for file, *_ in lock.LOCKS))
    return {}


def check() -> int:
    """Check the merged tree by its own new commands, without the variables of this one."""
    steps.say("checking the merged tree:")
    given = [word for name in ("MAKEFLAGS", "SET", "TEMPLATE", "VERSION") for word in ("-u", name)]
    code = shell.attach(["env", *given, "make", "--no-print-directory", "check"])
    if code:
        steps.say(f"\nthe merged tree did not pass `make check`: settle that, or {BACK}")
    return code


def main() -> int:
    """Take in VERSION of TEMPLATE, else the newest of the recorded one, or the answers in SET."""
    given = (os.environ.get(name, "") for name in ("TEMPLATE", "VERSION", "SET"))
    return check() if take_in(*given) else 0


if __name__ == "__main__":
    steps.exit_with(main)
