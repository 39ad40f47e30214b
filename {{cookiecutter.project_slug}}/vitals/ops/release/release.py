"""Releases: `make release LEVEL=patch|minor|major` tags a version, all or nothing.

All checks run before anything changes. Then it shows the notes, asks once, makes the tag object,
pushes it, asks the remote if in doubt, and last creates the local tag. If it was interrupted after
the remote had accepted the tag, the same command finishes the release.
"""

import os
import secrets
from functools import partial

from vitals.ops.release import notes, preflight, repository_state
from vitals.ops.release.repository_state import RepositoryState
from vitals.ops.run import git, interrupts, shell, steps
from vitals.ops.run.steps import Refused, Step

AGAIN = "the same command again: it finishes, or starts anew"
NEXT = """released {version}
  to deploy:  make deploy ENV=staging VERSION={version}
  to undo:    make rollback ENV=staging"""


def release(level: str, dry: bool, unasked: bool) -> int:
    """Check, show, ask, release; return the exit code.

    Raises `Refused` when git or the remote does; nothing is changed then, here or there.
    """
    steps.say("checking what is here, and asking the remote …")
    state = repository_state.read(level)
    if sent := cut_off(state):
        steps.say(f"{state.version} had reached {state.remote} already")
        return 0 if dry else name_here(state, sent)
    if not may_leave(state):
        return 1
    base = preflight.base(state)
    found = notes.text(notes.since(base), base)
    message = f"{state.version}\n\n{found or 'First release.'}"
    if not_run := preflight.left_out(state):
        message += f"\n\nNot run, and accepted: {', '.join(not_run)}"
    steps.say(f"\n{message}\n")
    if dry:
        steps.say(f"DRY=1: {state.version} was not released, nothing was changed")
        return 0
    if not unasked and not steps.ask(f"release {state.version} to {state.remote}?"):
        steps.say("not released, nothing was changed")
        return 1
    tag = git.tag_object(state.version, f"{message}\n\nRelease-Id: {secrets.token_hex(4)}\n")
    with interrupts.finishing("sending it: one moment. Ctrl-C again gives up and asks the remote"):
        send(state, tag)
        return name_here(state, tag)


def may_leave(state: RepositoryState) -> bool:
    checks = preflight.LOCAL if state.no_answer else (*preflight.LOCAL, *preflight.REMOTE)
    todo = [Step(check.__name__.replace("_", " "), partial(check, state)) for check in checks]
    results = steps.report(todo)
    refused = sum(not result.ok for result in results)
    if refused:
        steps.say(f"\nnot released, nothing was changed: {refused} of {len(results)} FAILED")
    return not refused


def send(state: RepositoryState, tag: str) -> None:
    """Push the tag, and on any doubt ask the remote whether it has it.

    Raises `Refused` when it does not, or does not answer.
    """
    ref = f"refs/tags/{state.version}"
    try:
        pushed = git.push(state.remote, tag, ref)
        if pushed.code == 0:
            return
        found = f"{state.remote} did not take {state.version}: nothing was changed, here or there"
    except KeyboardInterrupt:
        pushed = shell.Finished(130, "")
        found = f"given up before {state.remote} had taken {state.version}"
    try:
        there = git.remote_refs(state.remote, ref).get(ref)
    except Refused as no_answer:
        found = f"not known whether {state.version} reached {state.remote}"
        raise Refused(found, fix=AGAIN, output=pushed.output + no_answer.output) from no_answer
    if there is None:
        raise Refused(found, fix=AGAIN, output=pushed.output)
    if there != tag:
        found = f"another release of {state.version} came first: nothing was changed here"
        raise Refused(found, fix="`git pull --ff-only`", output=pushed.output)


def name_here(state: RepositoryState, tag: str) -> int:
    """Create the local tag, and print what comes next."""
    git.git("update-ref", f"refs/tags/{state.version}", tag)
    steps.say(NEXT.format(version=state.version))
    return 0


def cut_off(state: RepositoryState) -> str | None:
    """Return the tag object of an interrupted release: the remote has the tag, we the object."""
    local = repository_state.objects(state.local)
    for tag, found in repository_state.objects(state.published).items():
        commit = state.tags[tag]
        if tag not in local and commit == state.head and found != commit:
            ours = git.succeeds("cat-file", "-e", found)
            return found if ours and tag == state.version else None
    return None


def main() -> int:
    given = os.environ.get
    return release(given("LEVEL", ""), given("DRY") == "1", given("YES") == "1")


if __name__ == "__main__":
    steps.exit_with(main)
