"""How does a version leave? All or nothing: `make release LEVEL=patch|minor|major`.

All conditions are looked at before anything is touched. Then come the notes and one question, a tag
object that has no name yet, one push, the remote's own word for what happened, and last the name
here. What was cut off after the remote had accepted is finished by the same command.
"""

import os
import secrets
from functools import partial

from vitals.ops.release import notes, preflight, repository_state
from vitals.ops.release.repository_state import Now
from vitals.ops.run import git, interrupts, shell, steps
from vitals.ops.run.steps import Refused, Step

HERE = {
    "on the main branch": preflight.on_main,
    "nothing uncommitted": preflight.nothing_uncommitted,
    "git knows who tags": preflight.git_knows_who_tags,
    "check passed for this tree": preflight.check_passed,
    "rehearsal passed for this tree": preflight.rehearsed,
    "something to release": preflight.something_to_release,
    "changes are on record": preflight.changes_on_record,
    "the remote answers": preflight.remote_answers,
}
THERE = {
    "the remote has this commit": preflight.same_commit_there,
    "no version only here": preflight.no_version_only_here,
    "every version is here": preflight.every_version_here,
}
AGAIN = "the same command again: it finishes, or starts anew"
NEXT = """released {version}
  to deploy:  make deploy ENV=staging VERSION={version}
  to undo:    make rollback ENV=staging"""


def release(level: str, dry: bool, unasked: bool) -> int:
    """Look, show, ask, release; return the exit code.

    Raises `Refused` when git or the remote does; nothing is changed then, here or there.
    """
    steps.say("looking at what is here, and asking the remote …")
    now = repository_state.asked(level)
    if sent := cut_off(now):
        steps.say(f"{now.version} had reached {now.remote} already")
        return 0 if dry else name_here(now, sent)
    if not may_leave(now):
        return 1
    message = tag_message(now)
    steps.say(f"\n{message}\n")
    if dry:
        steps.say(f"DRY=1: {now.version} was not released, nothing was changed")
        return 0
    if not unasked and not steps.ask(f"release {now.version} to {now.remote}?"):
        steps.say("not released, nothing was changed")
        return 1
    tag = git.unnamed_tag(now.version, f"{message}\n\nRelease-Id: {secrets.token_hex(4)}\n")
    with interrupts.finishing("sending it: one moment. Ctrl-C again gives up and asks the remote"):
        send(now, tag)
        return name_here(now, tag)


def may_leave(now: Now) -> bool:
    """Look at all conditions, and show every one that does not hold with its fix."""
    looked_at = HERE if now.silence else HERE | THERE
    results = steps.report([Step(name, partial(look, now)) for name, look in looked_at.items()])
    refused = sum(not result.ok for result in results)
    if refused:
        steps.say(f"\nnot released, nothing was changed: {refused} of {len(results)} FAILED")
    return not refused


def tag_message(now: Now) -> str:
    """The version, and the notes of all that came since the last one."""
    return f"{now.version}\n\n{notes.text(notes.since(preflight.base(now))) or 'First release.'}"


def send(now: Now, tag: str) -> None:
    """Push the tag, and on any doubt ask the remote, which alone knows whether it took it.

    Raises `Refused` when it did not, or does not say.
    """
    ref = f"refs/tags/{now.version}"
    try:
        pushed = git.push(now.remote, tag, ref)
        if pushed.code == 0:
            return
        found = f"{now.remote} did not take {now.version}: nothing was changed, here or there"
    except KeyboardInterrupt:
        pushed = shell.Finished(130, "")
        found = f"given up before {now.remote} had taken {now.version}"
    try:
        there = git.refs(now.remote, ref).get(ref)
    except Refused as silence:
        found = f"not known whether {now.version} reached {now.remote}"
        raise Refused(found, fix=AGAIN, output=pushed.output + silence.output) from silence
    if there is None:
        raise Refused(found, fix=AGAIN, output=pushed.output)
    if there != tag:
        found = f"somebody else has just released {now.version}: nothing was changed here"
        raise Refused(found, fix="`git pull --ff-only`", output=pushed.output)


def name_here(now: Now, tag: str) -> int:
    """Give the tag its name here as well, and say what comes next."""
    git.git("update-ref", f"refs/tags/{now.version}", tag)
    steps.say(NEXT.format(version=now.version))
    return 0


def cut_off(now: Now) -> str | None:
    """Our own tag of this commit that the remote has and that has no name here: we were stopped."""
    for tag, found in repository_state.objects(now.there).items():
        commit = now.tags[tag]
        if tag not in repository_state.objects(now.here) and commit == now.head and found != commit:
            ours = git.says_yes("cat-file", "-e", found)
            return found if ours and tag == now.version else None
    return None


def main() -> int:
    """Release as LEVEL, DRY and YES say."""
    asked = os.environ.get
    return release(asked("LEVEL", ""), asked("DRY") == "1", asked("YES") == "1")


if __name__ == "__main__":
    steps.exit_with(main)
