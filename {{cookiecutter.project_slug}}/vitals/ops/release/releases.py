"""Files of a release: those of its tag, unpacked into a folder that is kept."""

from pathlib import Path
from typing import NamedTuple

from vitals.ops.env_files import Configuration
from vitals.ops.release import versions
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

FOLDER = shell.ROOT / "build" / "releases"
REMOTE = "origin"
REFERENCE = "secret://"


class Build(NamedTuple):
    version: str
    commit: str  # or, in a rehearsal, a tree


class Release(NamedTuple):
    """A build, its files, and where it goes. Whatever runs for it is taken from its own files:
    they may be older than this engine."""

    build: Build
    folder: Path
    environment: str


def released(version: str, environment: str) -> Release:
    """Return a released tag's files. Raises `Refused` unless the remote has this very tag."""
    if not versions.is_version(version):
        raise Refused(
            f"VERSION={version}", "a released tag", "`make deploy ENV=staging VERSION=v1.2.0`"
        )
    ref = f"refs/tags/{version}"
    published = git.remote_refs(REMOTE, ref).get(ref)
    if published is None:
        raise Refused(f"{version} is not on the remote", "a released tag", "`make release`")
    if not git.succeeds("rev-parse", "--verify", "--quiet", ref):
        git.git("fetch", "--quiet", REMOTE, "tag", version, "--no-tags")
    if git.git("rev-parse", ref) != published or git.git("cat-file", "-t", ref) != "tag":
        found = f"{version} here is not the remote's tag, or is a lightweight tag"
        fix = f"`git tag -d {version}`, then repeat the command"
        raise Refused(found, "the annotated tag that `make release` made", fix)
    return of(version, environment)


def last_version() -> str | None:
    """Return the newest version in this history, or None before the first."""
    if not git.is_repository() or not git.succeeds("rev-parse", "--verify", "--quiet", "HEAD"):
        return None
    return versions.newest(git.git("tag", "--merged", "HEAD").split())


def of(version: str, environment: str) -> Release:
    """Return the files of a version whose tag is here."""
    commit = git.git("rev-parse", f"refs/tags/{version}^{{commit}}")
    return unpacked(Build(version, commit), environment)


def unpacked(build: Build, environment: str) -> Release:
    """Return the files of a commit or tree, in a folder of their own that is kept."""
    folder = FOLDER / f"{build.version}-{build.commit[:12]}"
    if not folder.exists():
        git.unpack(build.commit, folder)
    return Release(build, folder, environment)


def host(release: Release) -> str:
    """Return a host name that the service answers to there."""
    hosts = Configuration(release.folder).values(release.environment).get("APP_ALLOWED_HOSTS", "")
    return hosts.split(",")[0].removeprefix("*.") or "localhost"


def secret_files(release: Release) -> dict[str, str]:
    """Return the settings that are secrets there, each with the name of its file."""
    values = Configuration(release.folder).values(release.environment).items()
    return {
        name: value.removeprefix(REFERENCE) for name, value in values if value.startswith(REFERENCE)
    }
