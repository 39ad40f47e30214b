"""What came with each version? The notes are the tags' own messages; VERSION=v1.2.0 prints one."""

import os

from vitals.ops.release import versions
from vitals.ops.run import git, steps
from vitals.ops.run.steps import Refused


def notes(version: str) -> str:
    """The message of a version's tag, without its signature."""
    return git.git("tag", "--list", "--format=%(contents:subject)%0a%0a%(contents:body)", version)


def everything() -> str:
    """The notes of all versions that are known here, the newest first.

    Raises `Refused` where there is none.
    """
    found = versions.sort(git.git("tag", "--list", "v*").splitlines())
    if not found:
        raise Refused("no version here", "the tag of one at least", "`git fetch --tags`")
    return "\n\n".join(f"## {notes(version).strip()}" for version in found)


def one(version: str) -> str:
    """The notes of one version. Raises `Refused` where it is not known."""
    if not versions.is_version(version) or not git.says_yes("rev-parse", f"refs/tags/{version}"):
        raise Refused(f"no version {version} here", "a tag such as v1.2.0", "`git fetch --tags`")
    return notes(version).strip()


def main() -> None:
    """Print the notes of VERSION, or of all."""
    wanted = os.environ.get("VERSION", "")
    steps.say(one(wanted) if wanted else everything())


if __name__ == "__main__":
    steps.exit_with(main)
