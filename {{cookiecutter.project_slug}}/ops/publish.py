"""What follows when the tag of a version has arrived? CI calls this; all of it is safe to repeat.

`tag` looks whether the tag is one that `make release` made, `page` writes the page of the release
from the tag's message, with the token that the CI gives to its job.
"""

import os
import sys
from typing import NamedTuple

import httpx

from ops import changelog, git, situation, steps, versions
from ops.steps import Refused


class Forge(NamedTuple):
    """Where the pages of releases are kept; in braces stand the CI's own variables."""

    pages: str
    one: str  # what stands before the version in the address of one page
    token: tuple[str, str]
    text: str  # the field of the notes


FORGES = {
    "GITHUB_API_URL": Forge(
        "{GITHUB_API_URL}/repos/{GITHUB_REPOSITORY}/releases",
        "/tags/",
        ("Authorization", "Bearer {GITHUB_TOKEN}"),
        "body",
    ),
    "CI_API_V4_URL": Forge(
        "{CI_API_V4_URL}/projects/{CI_PROJECT_ID}/releases",
        "/",
        ("JOB-TOKEN", "{CI_JOB_TOKEN}"),
        "description",
    ),
}


def verify(version: str) -> str:
    """Look at the tag: a version, with notes, on main, and checked out here.

    Raises `Refused` when it is another: it was not made by `make release`.
    """
    ref, main = f"refs/tags/{version}", f"refs/remotes/origin/{situation.MAIN}"
    if not versions.is_version(version) or not git.says_yes("rev-parse", "--verify", ref):
        raise Refused(f"VERSION={version} is no tag here", "a tag such as v1.2.0")
    if git.git("cat-file", "-t", ref) != "tag":
        raise Refused(f"{version} is a name without notes", "a tag that `make release` made")
    if not git.says_yes("merge-base", "--is-ancestor", f"{ref}^{{commit}}", main):
        raise Refused(f"{version} is no part of {main}", "a version of the main branch")
    if git.git("rev-parse", f"{ref}^{{commit}}") != git.git("rev-parse", "HEAD"):
        raise Refused(f"{version} is not what is checked out", remedy=f"`git checkout {version}`")
    return f"{version}: annotated, on {situation.MAIN}"


def page(version: str) -> str:
    """Write the page of a release; one that is there already is left alone.

    Raises `Refused` outside of a CI, and with the answer when there is none.
    """
    notes = changelog.one(version)
    known = next((forge for name, forge in FORGES.items() if name in os.environ), None)
    if known is None:
        raise Refused("no CI here", f"one of {', '.join(FORGES)} in the environment")
    pages, token = _filled(known.pages), (known.token[0], _filled(known.token[1]))
    fields = {"tag_name": version, "name": version, known.text: notes}
    with httpx.Client(headers=[token], timeout=30) as client:
        try:
            if client.get(f"{pages}{known.one}{version}").is_success:
                return f"the page of {version} is there already"
            answer = client.post(pages, json=fields)
        except httpx.TransportError as error:
            raise Refused(f"{pages}: {error}", remedy="safe to repeat") from error
    if not answer.is_success:
        found = f"{pages} answered {answer.status_code}"
        raise Refused(found, "a page of the release", "safe to repeat", answer.text)
    return f"the page of {version} is written"


def _filled(text: str) -> str:
    """Put the CI's variables in. Raises `Refused` with the name of the one that is missing."""
    try:
        return text.format_map(os.environ)
    except KeyError as missing:
        raise Refused(f"no {missing.args[0]} in the environment", "what the CI sets") from missing


COMMANDS = {"tag": verify, "page": page}

if __name__ == "__main__":
    version = os.environ.get("VERSION", "")
    steps.exit_with(lambda: steps.say(COMMANDS[sys.argv[1]](version)))
