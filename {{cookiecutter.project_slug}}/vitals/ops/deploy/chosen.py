"""The release that VERSION and DIGEST name: released, pinned to an image, fit for its place."""

import os
import re

from vitals.ops.deploy import registry, targets
from vitals.ops.deploy.targets import Target
from vitals.ops.env_files import Configuration
from vitals.ops.release import releases, versions
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import project_file
from vitals.ops.run.steps import Refused

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# What a new project's files have in place of your addresses.
PLACEHOLDER = re.compile(r"\b(?:staging|production|registry)\.internal\b")


def release(target: Target, environment: str) -> Release:
    """Return the release to deploy. Raises `Refused` with the reason why it can't go there."""
    version = os.environ.get("VERSION", "")
    found = releases.released(version, environment, target.releases)
    _refuse_placeholders(found)
    if environment == "production":
        _refuse_older(target, version)
    return found._replace(image=_image(found))


def _refuse_placeholders(release: Release) -> None:
    lines = Configuration(release.folder).resolved(release.environment).values()
    left = [f"{line.where} {line.name}" for line in lines if PLACEHOLDER.search(line.value)]
    image = str(project_file.table(release.folder).get("image", ""))
    left += [f"{project_file.FILE} image"] if PLACEHOLDER.search(image) else []
    if left:
        found = f"{release.build.version} has placeholders of a new project: {', '.join(left)}"
        raise Refused(found, "your own addresses", "write them there, and release that")


def _refuse_older(target: Target, version: str) -> None:
    live = [each.version for each in targets.entries(target)[-1:]]
    if live and live[0] != version and versions.newest([*live, version]) == live[0]:
        found = f"{version} is older than {live[0]}, which is live"
        raise Refused(found, "a newer version", "`make rollback ENV=production` goes back")


def _image(release: Release) -> str:
    """Return the image by digest; nothing where the project names none, so that the host builds."""
    name, digest = project_file.table(release.folder).get("image"), os.environ.get("DIGEST", "")
    if not name:
        if digest:
            found = f"DIGEST={digest} and no image in [tool.vitals]"
            raise Refused(found, fix=f'image = "registry.example/…" in {project_file.FILE}')
        return ""
    if digest and not DIGEST.fullmatch(digest):
        raise Refused(f"DIGEST={digest}", "sha256: and 64 hexadecimal digits")
    if not digest and release.environment == "production":
        digest = _of_staging(release.build)
    digest = digest or registry.resolve(f"{name}", release.build.version)
    commit = registry.commit(f"{name}", digest)
    if commit != release.build.commit:
        found = f"{name}@{digest} was built from {commit or 'an unknown commit'}"
        raise Refused(found, f"{release.build.commit}, the commit of {release.build.version}")
    return f"{name}@{digest}"


def _of_staging(build: Build) -> str:
    """Return the digest of this very build that staging ran, where staging can be seen."""
    try:
        entries = targets.entries(targets.of_project("staging"))
    except Refused:
        return ""
    found = [e.image for e in entries if (e.version, e.commit) == build and e.image]
    return found[-1].rpartition("@")[2] if found else ""
