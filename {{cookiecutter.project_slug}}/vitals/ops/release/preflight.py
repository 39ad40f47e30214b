"""Preflight checks: what must hold before a version may leave. A new check is a function below.

Each checks one thing and changes nothing. It returns a detail for its line, or raises `Refused`
with the one command that fixes it.
"""

import os

from vitals.ops.deploy import staging
from vitals.ops.release import notes, versions
from vitals.ops.release.repository_state import BRANCH, MAIN, RepositoryState, objects
from vitals.ops.run import git, record
from vitals.ops.run.steps import Refused


def on_main(_: RepositoryState) -> str:
    branch = git.git("branch", "--show-current")
    if branch != MAIN:
        raise Refused(f"on {branch or 'no branch'}", MAIN, f"`git switch {MAIN}`")
    return branch


def nothing_uncommitted(_: RepositoryState) -> str:
    status = git.git("--no-optional-locks", "status", "--porcelain", "--untracked-files=normal")
    stashed = len(git.git("stash", "list").splitlines())
    if status:
        found = f"{len(status.splitlines())} files not committed; {stashed} stashed"
        fix = "`git stash --include-untracked` puts the rest aside"
        raise Refused(found, "all that belongs to the release committed", fix, status)
    return f"{stashed} stashed, which stay aside" if stashed else ""


def committer_is_known(_: RepositoryState) -> str:
    if not git.succeeds("var", "GIT_COMMITTER_IDENT"):
        found = "git does not know the name and address of who tags"
        raise Refused(found, fix="`git config user.email you@example.com`")
    return git.git("var", "GIT_COMMITTER_IDENT").rsplit(maxsplit=2)[0]


def check_passed(state: RepositoryState) -> str:
    """What it could not run must be accepted by name: YES=1 does not cover it."""
    not_run = left_out(state)
    given = os.environ.get("ACCEPT", "").replace(",", " ").split()
    if missing := [name.split()[0] for name in not_run if name.split()[0] not in given]:
        fix = f"`make check` where it can run, or ACCEPT={','.join([*given, *missing])}"
        raise Refused(f"not run: {', '.join(not_run)}", "every check to have run", fix)
    at = str(record.read("check", state.tree, "`make check`")["at"])
    return f"{at}; not run, and accepted: {', '.join(not_run)}" if not_run else at


def left_out(state: RepositoryState) -> list[str]:
    """What the check of this tree could not run, such as "SEC-607 (no network)"."""
    names: list[str] = record.read("check", state.tree, "`make check`").get("not_run", [])
    return names


def rehearsal_passed(state: RepositoryState) -> str:
    demanded = staging.demanded_mode()
    if demanded == "none":
        return "none is demanded"
    rehearsed = record.read("rehearsal", state.tree, "`make rehearse`")
    if rehearsed["mode"] != demanded:
        found, fix = f"it ran in mode {rehearsed['mode']!r}", f"`make rehearse MODE={demanded}`"
        raise Refused(found, f"{demanded!r}, as pyproject.toml demands", fix)
    return f"{demanded}, {rehearsed['at']}"


def something_to_release(state: RepositoryState) -> str:
    if found := [tag for tag, commit in state.tags.items() if commit == state.head]:
        raise Refused(f"this commit is {found[0]} already", fix="commit a change first")
    return f"{state.version} after {state.previous or 'nothing'}"


def changes_on_record(state: RepositoryState) -> str:
    release = base(state)
    found = notes.complete(release)
    moved = notes.packages(release)
    if release and not found.records and not moved:
        raise Refused(f"no record since {state.previous}", fix='`make change TITLE="…"`')
    return f"{len(found.records)} records, {len(moved)} packages moved"


def level_says_what_breaks(state: RepositoryState) -> str:
    """A change record says it: `breaks = "…"`."""
    breaking = notes.breaking(notes.since(base(state))) if state.previous else []
    if not state.previous or not breaking:
        return ""
    least = versions.level_of_a_break(state.previous)
    if versions.newest([state.version, versions.following(state.previous, least)]) != state.version:
        found = f"LEVEL={state.level}, and clients break: {', '.join(breaking)}"
        raise Refused(found, f"LEVEL={least}", f"`make release LEVEL={least}`")
    return ", ".join(breaking)


def remote_answers(state: RepositoryState) -> str:
    if state.no_answer is None:
        return state.remote
    if not git.succeeds("remote", "get-url", state.remote):
        raise Refused(f"no remote {state.remote}", fix=f"`git remote add {state.remote} ADDRESS`")
    raise state.no_answer


def remote_has_this_commit(state: RepositoryState) -> str:
    remote, theirs = state.remote, state.published.get(BRANCH)
    if not state.upstream or theirs is None:
        found = f"{MAIN} follows no branch of a remote that is there"
        raise Refused(found, fix=f"`git push --set-upstream {remote} {MAIN}`")
    if theirs == state.head:
        return state.head[:10]
    if _contains(state.head, theirs):
        raise Refused(f"commits that are not on {remote}", fix=f"`git push {remote} {MAIN}`")
    if _contains(theirs, state.head) or _contains(f"refs/remotes/{remote}/{MAIN}", state.head):
        raise Refused(f"{remote} has commits that are not here", fix="`git pull --ff-only`")
    raise Refused(f"other commits than {remote} has", fix="`git pull --rebase`")


def every_version_published(state: RepositoryState) -> None:
    only_here = objects(state.local).keys() - objects(state.published).keys()
    if only := versions.sort(only_here):
        found = f"{', '.join(only)} here and not on {state.remote}"
        raise Refused(found, "versions that were released", f"`git tag --delete {' '.join(only)}`")


def every_version_here(state: RepositoryState) -> str:
    local, published = objects(state.local), objects(state.published)
    other = [tag for tag, found in published.items() if local.get(tag, found) != found]
    if other:
        found = f"{', '.join(other)} here and on {state.remote} are not the same"
        raise Refused(found, fix=f"`git fetch --tags --force {state.remote}`")
    if missing := versions.sort(published.keys() - local.keys()):
        found = f"{', '.join(missing)} on {state.remote} and not here"
        raise Refused(found, fix=f"`git fetch --tags {state.remote}`")
    return f"{len(published)} released"


def base(state: RepositoryState) -> str | None:
    """Return the last release's commit. Raises `Refused` where the history since is not here."""
    if state.previous is None:
        return None
    commit = state.tags[state.previous]
    if _contains(state.head, commit):
        return commit
    if git.git("rev-parse", "--is-shallow-repository") == "true":
        found = f"a history that begins after {state.previous}"
        raise Refused(found, "all commits since then", f"`git fetch --unshallow {state.remote}`")
    fix = f"`git fetch {state.remote} tag {state.previous} && git merge {state.previous}`"
    raise Refused(f"{state.previous} is no part of {MAIN}", f"{MAIN} to contain each release", fix)


def _contains(commit: str, ancestor: str) -> bool:
    return git.succeeds("merge-base", "--is-ancestor", ancestor, commit)


LOCAL = (
    on_main,
    nothing_uncommitted,
    committer_is_known,
    check_passed,
    rehearsal_passed,
    something_to_release,
    changes_on_record,
    level_says_what_breaks,
    remote_answers,
)
REMOTE = (remote_has_this_commit, every_version_published, every_version_here)
