"""What .vitals.json records of the template: its address, version and commit."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from cookiecutter.config import get_user_config

STARTED_IN = Path.cwd()  # cookiecutter changes it while it renders
VERSION = r"v\d+\.\d+\.\d+"


def user_configuration() -> dict[str, Any]:
    """The user's cookiecutter configuration, found as the running command finds it."""
    context = click.get_current_context(silent=True)
    params = context.params if context else {}
    return get_user_config(params.get("config_file"), params.get("default_config") or False)


def template_url(source: str) -> str:
    """The template's git address without credentials; nothing for a path or a zip."""
    prefix, colon, rest = source.partition(":")
    abbreviations = user_configuration()["abbreviations"]
    if prefix in abbreviations:  # a whole name, or gh:team/vitals
        source = abbreviations[prefix].format(rest) if colon else abbreviations[prefix]
    source = source.removeprefix("git+")
    if source.lower().endswith(".zip"):
        return ""
    if re.match(r"[\w.-]+@[\w.-]+:", source):
        return source
    url = urlsplit(source)
    if len(url.scheme) < 2 or url.scheme == "file":
        return ""
    user = f"{url.username}@" if url.username and "ssh" in url.scheme else ""
    return url._replace(netloc=user + url.netloc.rpartition("@")[2]).geturl()


def template_commit(home: str) -> str:
    """The commit of a clone, a worktree or an unpacked archive; nothing where it is unknown."""
    prefix, _, commit = git(home, "rev-parse", "--show-prefix", "HEAD").partition("\n")
    return commit if commit and not prefix else archived(home, "commit", "[0-9a-f]{40,64}")


def template_version(home: str) -> str:
    """The version that this commit has a tag of; nothing where there is none."""
    if not git(home, "rev-parse", "--show-prefix", "HEAD").startswith("\n"):
        return archived(home, "tag", VERSION)
    tags = git(home, "tag", "--points-at", "HEAD", "--sort=-version:refname").split("\n")
    return next(filter(re.compile(VERSION).fullmatch, tags), "")


def archived(home: str, what: str, pattern: str) -> str:
    """What `git archive` wrote of a commit or its tag, for GitHub's and GitLab's zips too."""
    record = STARTED_IN / home / ".git_archival.txt"
    text = record.read_text(encoding="utf-8") if record.is_file() else ""
    found = re.search(rf"^{what}: (?:.*\b)?({pattern})(?:,.*)?$", text, re.MULTILINE)
    return found[1] if found else ""


def git(home: str, *words: str) -> str:
    """What git says of a repository, whoever owns it; nothing where it fails or is missing."""
    command = ["git", "-c", "safe.directory=*", "-C", str(STARTED_IN / home), *words]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, env=outer, capture_output=True, text=True, check=False)  # noqa: S603  the home is what cookiecutter runs
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.removesuffix("\n")
