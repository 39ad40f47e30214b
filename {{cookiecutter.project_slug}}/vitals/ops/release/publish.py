"""CI steps after a version's tag has arrived, all safe to repeat.

`tag` checks that `make release` made the tag, `audit` its packages. `page` writes the release's
page from the tag's message; the CI's own file says where, in the variables of PAGE_VARIABLES.
"""

import os
import sys
from pathlib import Path

import httpx

from vitals.ops.check.security import checklist, tools
from vitals.ops.check.security.checklist import NotRun
from vitals.ops.release import changelog, repository_state, versions
from vitals.ops.run import git, project_file, shell, steps
from vitals.ops.run.steps import Refused

# The addresses of all pages and of this one, the header with the job's token, the notes' field.
PAGE_VARIABLES = ("PAGES", "PAGE", "PAGE_HEADER", "PAGE_NOTES")


def verify(version: str) -> str:
    """Check the tag: a version, annotated, on main, and checked out here.

    Raises `Refused` when it is another: it was not made by `make release`.
    """
    ref, main = f"refs/tags/{version}", f"refs/remotes/origin/{repository_state.MAIN}"
    if not versions.is_version(version) or not git.succeeds("rev-parse", "--verify", ref):
        raise Refused(f"VERSION={version} is no tag here", "a tag such as v1.2.0")
    if git.git("cat-file", "-t", ref) != "tag":
        raise Refused(f"{version} is a lightweight tag", "a tag that `make release` made")
    if not git.succeeds("merge-base", "--is-ancestor", f"{ref}^{{commit}}", main):
        raise Refused(f"{version} is no part of {main}", "a version of the main branch")
    if git.git("rev-parse", f"{ref}^{{commit}}") != git.git("rev-parse", "HEAD"):
        raise Refused(f"{version} is not what is checked out", fix=f"`git checkout {version}`")
    if output := os.environ.get("GITHUB_OUTPUT"):  # for the jobs that follow
        with Path(output).open("a", encoding="utf-8") as file:
            file.write(f"image={project_file.table().get('image', '')}\n")
    return f"{version}: annotated, on {repository_state.MAIN}"


def page(version: str) -> str:
    """Write the page of a release; one that is there already stays as it is.

    Raises `Refused` outside of a CI, and when the forge refuses or does not answer.
    """
    if missing := [name for name in PAGE_VARIABLES if not os.environ.get(name)]:
        raise Refused(f"no {', '.join(missing)} in the environment", "what the CI's file sets")
    pages, one, header, notes = (os.environ[name] for name in PAGE_VARIABLES)
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


def audit(version: str) -> str:
    """Look for advisories against the packages of the image; those that were accepted count not.

    Raises `Refused` with what is open, and where nobody answers: here that is no pass.
    """
    try:
        found = tools.advisories()
    except NotRun as reason:
        raise Refused(f"advisories: not run, {reason}", "an answer", "safe to repeat") from reason
    file = shell.ROOT / "config" / "security-accepted.toml"
    known = {each.place for each in checklist.accepted(file) if each.id == "SEC-607"}
    if left := [name for name, _ in found if name not in known]:
        raise Refused(
            f"{version} has packages with advisories", fix="make upgrade", output="\n".join(left)
        )
    return f"{version}: no advisory is open"


COMMANDS = {"tag": verify, "page": page, "audit": audit}

if __name__ == "__main__":
    version = os.environ.get("VERSION", "")
    steps.exit_with(lambda: steps.say(COMMANDS[sys.argv[1]](version)))
