"""Which files belong to a release? Those of its tag, unpacked into a folder that is kept."""

from pathlib import Path
from typing import NamedTuple

from vitals.ops.env_files import Configuration
from vitals.ops.release import versions
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

FOLDER = shell.ROOT / "build" / "releases"
REMOTE = "origin"


class Build(NamedTuple):
    version: str
    commit: str  # or, in a rehearsal, a tree


class Release(NamedTuple):
    build: Build
    folder: Path
    environment: str


def released(version: str, environment: str) -> Release:
    """The files of a released tag. Raises `Refused` unless the remote has this very tag."""
    if not versions.is_version(version):
        raise Refused(f"VERSION={version}", "a released tag", "`make deploy VERSION=v1.2.0`")
    ref = f"refs/tags/{version}"
    there = git.refs(REMOTE, ref).get(ref)
    if there is None:
        raise Refused(f"{version} is not on the remote", "a released tag", "`make release`")
    if not git.says_yes("rev-parse", "--verify", "--quiet", ref):
        git.git("fetch", "--quiet", REMOTE, "tag", version, "--no-tags")
    if git.git("rev-parse", ref) != there or git.git("cat-file", "-t", ref) != "tag":
        raise Refused(
            f"{version} is another one here than on the remote, or has no message",
            "the annotated tag that `make release` made",
            f"`git tag -d {version}`, then repeat the command",
        )
    return of(version, environment)


def last_version() -> str | None:
    """The newest version that this history holds, or None before the first."""
    if not git.is_repository() or not git.says_yes("rev-parse", "--verify", "--quiet", "HEAD"):
        return None
    return versions.newest(git.git("tag", "--merged", "HEAD").split())


def of(version: str, environment: str) -> Release:
    """The files of a version that is known here."""
    commit = git.git("rev-parse", f"refs/tags/{version}^{{commit}}")
    return unpacked(Build(version, commit), environment)


def unpacked(build: Build, environment: str) -> Release:
    """The files of a commit or tree, in a folder of their own that is kept."""
    folder = FOLDER / f"{build.version}-{build.commit[:12]}"
    if not folder.exists():
        git.unpack(build.commit, folder)
    return Release(build, folder, environment)


def host(release: Release) -> str:
    """A host name that the service answers to there."""
    hosts = Configuration(release.folder).values(release.environment).get("APP_ALLOWED_HOSTS", "")
    return hosts.split(",")[0].removeprefix("*.") or "localhost"


def secret_files(release: Release) -> dict[str, str]:
    """The settings that are secrets there, and the name of each one's file."""
    values = Configuration(release.folder).values(release.environment)
    parted = {name: value.partition("secret://") for name, value in values.items()}
    return {name: file for name, (_, is_secret, file) in parted.items() if is_secret}
