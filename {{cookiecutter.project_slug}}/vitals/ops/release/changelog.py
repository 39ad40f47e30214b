"""Release history: the notes of all versions, from the tags; VERSION=v1.2.0 prints one."""

import os

from vitals.ops.release import versions
from vitals.ops.run import git, steps
from vitals.ops.run.steps import Refused


def everything() -> str:
    """Return the notes of all known versions, the newest first. Raises `Refused` without any."""
    found = versions.sort(git.git("tag", "--list", "v*").splitlines())
    if not found:
        raise Refused("no version here", "a tag such as v1.2.0", "`git fetch --tags`")
    return "\n\n".join(f"## {one(version)}" for version in found)


def one(version: str) -> str:
    """Return a tag's message, without its signature. Raises `Refused` when it is not known."""
    if not versions.is_version(version) or not git.succeeds("rev-parse", f"refs/tags/{version}"):
        raise Refused(f"no version {version} here", "a tag such as v1.2.0", "`git fetch --tags`")
    message = "--format=%(contents:subject)%0a%0a%(contents:body)"
    return git.git("tag", "--list", message, version).strip()


def main() -> None:
    wanted = os.environ.get("VERSION", "")
    steps.say(one(wanted) if wanted else everything())


if __name__ == "__main__":
    steps.exit_with(main)
