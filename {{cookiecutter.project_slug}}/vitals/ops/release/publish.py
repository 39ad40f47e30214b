"""What follows when the tag of a version has arrived? CI calls this; all of it is safe to repeat.

`tag` looks whether the tag is one that `make release` made, `page` writes the page of the release
from the tag's message, where and with what the CI's own file hands over.
"""

import os
import sys

import httpx

from vitals.ops.release import changelog, repository_state, versions
from vitals.ops.run import git, steps
from vitals.ops.run.steps import Refused

# The addresses of all pages and of this one, the header that lets the job in, the notes' field.
HANDED_OVER = ("PAGES", "PAGE", "PAGE_HEADER", "PAGE_NOTES")


def verify(version: str) -> str:
    """Look at the tag: a version, with notes, on main, and checked out here.

    Raises `Refused` when it is another: it was not made by `make release`.
    """
    ref, main = f"refs/tags/{version}", f"refs/remotes/origin/{repository_state.MAIN}"
    if not versions.is_version(version) or not git.says_yes("rev-parse", "--verify", ref):
        raise Refused(f"VERSION={version} is no tag here", "a tag such as v1.2.0")
    if git.git("cat-file", "-t", ref) != "tag":
        raise Refused(f"{version} is a name without notes", "a tag that `make release` made")
    if not git.says_yes("merge-base", "--is-ancestor", f"{ref}^{{commit}}", main):
        raise Refused(f"{version} is no part of {main}", "a version of the main branch")
    if git.git("rev-parse", f"{ref}^{{commit}}") != git.git("rev-parse", "HEAD"):
        raise Refused(f"{version} is not what is checked out", fix=f"`git checkout {version}`")
    return f"{version}: annotated, on {repository_state.MAIN}"


def page(version: str) -> str:
    """Write the page of a release; one that is there already is left alone.

    Raises `Refused` outside of a CI, and with the answer when there is none.
    """
    if missing := [name for name in HANDED_OVER if not os.environ.get(name)]:
        raise Refused(f"no {', '.join(missing)} in the environment", "what the CI hands over")
    pages, one, header, notes = (os.environ[name] for name in HANDED_OVER)
    name, _, token = header.partition(": ")
    fields = {"tag_name": version, "name": version, notes: changelog.one(version)}
    with httpx.Client(headers={name: token}, timeout=30) as client:
        try:
            if client.get(one).is_success:
                return f"the page of {version} is there already"
            answer = client.post(pages, json=fields)
        except httpx.TransportError as error:
            raise Refused(f"{pages}: {error}", fix="safe to repeat") from error
    if not answer.is_success:
        found = f"{pages} answered {answer.status_code}"
        raise Refused(found, "a page of the release", "safe to repeat", answer.text)
    return f"the page of {version} is written"


COMMANDS = {"tag": verify, "page": page}

if __name__ == "__main__":
    version = os.environ.get("VERSION", "")
    steps.exit_with(lambda: steps.say(COMMANDS[sys.argv[1]](version)))
