"""git: everything that is asked of it and done with it. The only module that starts git."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

ANSWER_SECONDS = 10
# A hook runs with the variables of the repository whose hook it is; here it is the project's.
for variable in ("DIR", "WORK_TREE", "INDEX_FILE", "PREFIX", "COMMON_DIR", "OBJECT_DIRECTORY"):
    os.environ.pop(f"GIT_{variable}", None)
# What we read must not depend on the user's settings.
GIT = ["git", "-c", "column.ui=never", "-c", "log.showSignature=false", "-c", "color.ui=false"]
NOBODY = ["-c", "user.name=template", "-c", "user.email=template@localhost"]

# git writes a tag's object first, then runs this hook before the name points to it.
REFUSE_NAME = """#!/bin/sh
[ "$1" = prepared ] || exit 0
cat > "${0%/*}/prepared"
exit 1
"""


def git(*words: str, index: Path | None = None) -> str:
    """Run git in the project; return its output without the last line end.

    Raises `Refused` with git's message when it fails.
    """
    finished = _run(*words, index=index)
    if finished.returncode:
        raise Refused(f"git {words[0]} failed", output=finished.stderr)
    return finished.stdout.rstrip("\n")


def succeeds(*words: str) -> bool:
    return _run(*words).returncode == 0


def _run(*words: str, index: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GIT, *words],
        cwd=shell.ROOT,
        env={**os.environ, "GIT_INDEX_FILE": str(index)} if index else None,
        capture_output=True,
        text=True,
        errors="surrogateescape",  # names of files that are no UTF-8
        check=False,
    )


def is_repository() -> bool:
    """Whether this folder is a repository of its own, not one inside another's.

    Raises `Refused` for one that git does not read, such as another user's: no check may pass then.
    """
    if not (shell.ROOT / ".git").exists():
        return False
    _need_git()
    return Path(git("rev-parse", "--show-toplevel")).resolve() == shell.ROOT.resolve()


def need_repository() -> None:
    """Raise `Refused` unless there is git, and this folder is a repository of its own."""
    _need_git()
    if not is_repository():
        raise Refused("no git repository of its own here", fix="`git init -b main`, then commit")


def _need_git() -> None:
    if shutil.which("git") is None:
        raise Refused("no git on this machine", fix="install git, then `git init -b main`")


def has_commit() -> bool:
    """Whether this is a repository, and a commit is checked out."""
    return is_repository() and succeeds("rev-parse", "--verify", "--quiet", "HEAD")


def head() -> str:
    """The commit that is checked out. Raises `Refused` where there is none."""
    need_repository()
    if not has_commit():
        raise Refused("no commit yet", fix="`git add --all && git commit`")
    return git("rev-parse", "HEAD")


def tree_hash() -> str | None:
    """The tree of all files here, tracked or not ignored; None without a repository.

    The user's index is not touched: git works on a copy.
    """
    if not is_repository():
        return None
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder, "index")
        current = shell.ROOT / git("rev-parse", "--git-path", "index")
        if current.exists():
            shutil.copy2(current, index)  # git compares its time with those of files
        git("add", "--all", index=index)
        return git("write-tree", index=index)


def history() -> str:
    """All refs, the commit that is checked out, and whether commits are missing here."""
    if not is_repository():
        return ""
    head = ["HEAD"] if has_commit() else []
    return git("for-each-ref") + git("rev-parse", "--is-shallow-repository", *head)


def remote_refs(remote: str, *patterns: str) -> dict[str, str]:
    """What these refs point to in a remote; `^{}` is the commit of a tag object.

    Asks for no password. Raises `Refused` when there is no answer within 10 s.
    """
    command = ["git", "-C", shell.ROOT, "ls-remote", remote, *patterns]
    listing = shell.run(command, within_seconds=ANSWER_SECONDS)
    if listing.code:
        ended_by_us = f"gave no answer within {ANSWER_SECONDS} s"
        raise Refused(
            f"{remote} {'refused' if listing.code > 0 else ended_by_us}",
            "its branches and tags, without a prompt",
            f"`git ls-remote {remote}` shows why",
            listing.output,
        )
    return _listed(listing.output)


def local_refs(*patterns: str) -> dict[str, str]:
    """What these refs point to in this repository; `^{}` is the commit of a tag object."""
    line = "%(objectname)%09%(refname)%0a%(*objectname)%09%(refname)^{}"
    return _listed(git("for-each-ref", f"--format={line}", *patterns))


def _listed(text: str) -> dict[str, str]:
    lines = (line.partition("\t") for line in text.splitlines())
    return {ref: found for found, _, ref in lines if found and ref.startswith("refs/")}


def tag_object(name: str, message: str) -> str:
    """Make the annotated tag object of HEAD and no ref; signed where git is set up to sign.

    Raises `Refused` with git's message when it cannot be made or signed.
    """
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder)
        (aside / "message").write_text(message, encoding="utf-8")
        (aside / "reference-transaction").write_text(REFUSE_NAME)
        (aside / "reference-transaction").chmod(0o700)
        command = ["git", "-C", shell.ROOT, "-c", f"core.hooksPath={aside}", "tag", "--annotate"]
        command += ["--cleanup=whitespace", f"--file={aside / 'message'}", name]
        code, said = shell.run(command, folder=aside)
        if code == 0:
            git("update-ref", "-d", f"refs/tags/{name}")
            expected = "git 2.28 or newer, and a folder for temporary files that may hold programs"
            raise Refused("git did not run the reference-transaction hook", expected)
        if not (aside / "prepared").exists():
            raise Refused("git could not make the tag: nothing was changed", output=said)
        made = (aside / "prepared").read_text().split()[1]
    if _signs_tags() and "\n-----BEGIN " not in git("cat-file", "tag", made):
        # git 2.39 goes on without a signature when ssh-keygen fails
        raise Refused("git could not sign the tag: nothing was changed", output=said)
    return made


def _signs_tags() -> bool:
    settings = ("tag.gpgSign", "tag.forceSignAnnotated")
    return any(git("config", "--type=bool", "--default=false", s) == "true" for s in settings)


def push(remote: str, source: str, ref: str) -> shell.Finished:
    """Push one object under one name and nothing else; Ctrl-C does not reach the user's hooks."""
    only = ["--no-follow-tags", "--recurse-submodules=no"]
    return shell.run(["git", "-C", shell.ROOT, "push", *only, remote, f"{source}:{ref}"])


def clone(address: str, folder: Path) -> shell.Finished:
    """Clone a repository's commits and tags, without files; asks for no password."""
    options = ["--quiet", "--no-checkout"]
    return shell.run(["git", "-C", shell.ROOT, "clone", *options, "--", address, folder])


def cherry_pick(commit: str) -> shell.Finished:
    """Merge a commit's changes into the tree and the index, and commit nothing.

    Renames are followed; conflicts stay marked there.
    """
    options = [*NOBODY, "-c", "merge.renames=true", "-c", "rerere.enabled=false"]
    return shell.run(["git", "-C", shell.ROOT, *options, "cherry-pick", "--no-commit", commit])
