"""What must hold before a version may leave? Each function looks at one thing and touches nothing.

It returns a detail for its line, or raises `Refused` with the one command that helps.
"""

import json
import tomllib
from typing import Any

from vitals.ops.deploy import targets
from vitals.ops.release import notes, versions
from vitals.ops.release.repository_state import BRANCH, MAIN, Now, objects
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused


def on_main(_: Now) -> str:
    branch = git.git("branch", "--show-current")
    if branch != MAIN:
        raise Refused(f"on {branch or 'no branch'}", MAIN, f"`git switch {MAIN}`")
    return branch


def nothing_uncommitted(_: Now) -> str:
    status = git.git("--no-optional-locks", "status", "--porcelain", "--untracked-files=normal")
    lines = status.splitlines()
    found = {
        "staged": sum(line[0] not in " ?" for line in lines),
        "changed": sum(line[1] not in " ?" for line in lines),
        "untracked": sum(line.startswith("??") for line in lines),
    }
    stashed = len(git.git("stash", "list").splitlines())
    if lines:
        raise Refused(
            ", ".join(f"{count} {kind}" for kind, count in found.items() if count)
            + (f"; {stashed} stashed" if stashed else ""),
            "all that belongs to the release committed",
            "`git stash --include-untracked` puts the rest aside",
            status,
        )
    return f"{stashed} stashed, which stay aside" if stashed else ""


def git_knows_who_tags(_: Now) -> str:
    if not git.says_yes("var", "GIT_COMMITTER_IDENT"):
        raise Refused("git does not know you", fix="`git config user.email you@example.com`")
    return git.git("var", "GIT_COMMITTER_IDENT").rsplit(maxsplit=2)[0]


def check_passed(now: Now) -> str:
    return str(_record("check", now.tree)["at"])


def rehearsed(now: Now) -> str:
    """The rehearsal that pyproject.toml demands, of this very tree."""
    project = tomllib.loads((shell.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    demanded = project.get("tool", {}).get("vitals", {}).get("rehearsal", "process")
    if demanded == "none":
        return "none is demanded"
    if demanded not in (modes := targets.rehearsable()):
        found = f"rehearsal = {demanded!r} in [tool.vitals] of pyproject.toml"
        raise Refused(found, f"{', '.join(modes)} or none", 'rehearsal = "process" there')
    record = _record("rehearsal", now.tree)
    if record["mode"] != demanded:
        expected = f"{demanded!r}, as pyproject.toml demands"
        raise Refused(
            f"it ran in mode {record['mode']!r}", expected, f"`make rehearse MODE={demanded}`"
        )
    return f"{demanded}, {record['at']}"


def remote_answers(now: Now) -> str:
    if now.silence is None:
        return now.remote
    if not git.says_yes("remote", "get-url", now.remote):
        raise Refused(f"no remote {now.remote}", fix=f"`git remote add {now.remote} ADDRESS`")
    raise now.silence


def same_commit_there(now: Now) -> str:
    push = f"`git push --set-upstream {now.remote} {MAIN}`"
    theirs = now.there.get(BRANCH)
    if not now.upstream:
        raise Refused(f"{MAIN} follows no branch of a remote", fix=push)
    if theirs is None:
        raise Refused(f"{now.remote} has no {MAIN}", fix=push)
    if theirs == now.head:
        return now.head[:10]
    if _contains(now.head, theirs):
        found = f"commits that are not on {now.remote}"
        raise Refused(found, fix=f"`git push {now.remote} {MAIN}`")
    known = f"refs/remotes/{now.remote}/{MAIN}"
    if _contains(theirs, now.head) or _contains(known, now.head):
        raise Refused(f"{now.remote} has commits that are not here", fix="`git pull --ff-only`")
    raise Refused(f"other commits than {now.remote} has", fix="`git pull --rebase`")


def no_version_only_here(now: Now) -> None:
    if only := versions.sort(objects(now.here).keys() - objects(now.there).keys()):
        found = f"{', '.join(only)} here and not on {now.remote}"
        raise Refused(found, "versions that were released", f"`git tag --delete {' '.join(only)}`")


def every_version_here(now: Now) -> str:
    here, there = objects(now.here), objects(now.there)
    other = [tag for tag, found in there.items() if here.get(tag, found) != found]
    if other:
        found = f"{', '.join(other)} here and on {now.remote} are not the same"
        raise Refused(found, fix=f"`git fetch --tags --force {now.remote}`")
    if missing := versions.sort(there.keys() - here.keys()):
        found = f"{', '.join(missing)} on {now.remote} and not here"
        raise Refused(found, fix=f"`git fetch --tags {now.remote}`")
    return f"{len(there)} released"


def something_to_release(now: Now) -> str:
    if found := [tag for tag, commit in now.tags.items() if commit == now.head]:
        raise Refused(f"this commit is {found[0]} already", fix="commit a change first")
    return f"{now.version} after {now.previous or 'nothing'}"


def changes_on_record(now: Now) -> str:
    release = base(now)
    found = notes.since(release)
    if wrong := notes.faults(found, release):
        faults = f"faults in changes/: {len(wrong)}"
        raise Refused(faults, fix="each below", output="\n".join(wrong))
    if release and not found.records:
        raise Refused(f"no record since {now.previous}", fix='`make change TITLE="…"`')
    return f"{len(found.records)} records"


def base(now: Now) -> str | None:
    """The commit of the last release. Raises `Refused` where the history since then is not here."""
    if now.previous is None:
        return None
    commit = now.tags[now.previous]
    if _contains(now.head, commit):
        return commit
    if git.git("rev-parse", "--is-shallow-repository") == "true":
        found = f"a history that begins after {now.previous}"
        raise Refused(found, "all commits since then", f"`git fetch --unshallow {now.remote}`")
    raise Refused(
        f"{now.previous} is no part of {MAIN}",
        "each release to hold the one before",
        f"`git fetch {now.remote} tag {now.previous} && git merge {now.previous}`",
    )


def _contains(commit: str, ancestor: str) -> bool:
    return git.says_yes("merge-base", "--is-ancestor", ancestor, commit)


def _record(name: str, tree: str | None) -> dict[str, Any]:
    """What build/<name>.json says of this tree. Raises `Refused` unless it passed."""
    fix = {"check": "`make check`", "rehearsal": "`make rehearse`"}[name]
    try:
        record: dict[str, Any] = json.loads(
            (shell.ROOT / "build" / f"{name}.json").read_text(encoding="utf-8")
        )
        of_this_tree, passed = record["tree"] == tree, record["ok"] is True
        record["mode"], record["at"]
    except FileNotFoundError:
        raise Refused(f"no build/{name}.json", "one of this very tree", fix) from None
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"build/{name}.json is no record", fix=fix) from error
    if not of_this_tree:
        raise Refused("it ran on another tree than this", fix=fix)
    if not passed:
        raise Refused("it failed", fix=fix)
    return record
