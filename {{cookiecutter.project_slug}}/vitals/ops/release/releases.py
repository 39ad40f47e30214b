"""Files of a release: those of its tag, unpacked into a folder that is kept."""

import os
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from vitals.ops.env_files import Configuration
from vitals.ops.release import repository_state, versions
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

FOLDER = shell.ROOT / "build" / "releases"
LINK = "160000"  # the mode of a submodule
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
    image: str = ""  # by digest; nothing where its files are built on the spot


def released(version: str, environment: str, folder: Path | None = None) -> Release:
    """Return a released tag's files. Raises `Refused` unless the remote has this very tag."""
    if not versions.is_version(version):
        raise Refused(
            f"VERSION={version}", "a released tag", "`make deploy ENV=staging VERSION=v1.2.0`"
        )
    ref, remote = f"refs/tags/{version}", repository_state.remote()
    published = git.remote_refs(remote, ref).get(ref)
    if published is None:
        raise Refused(f"{version} is not on {remote}", "a released tag", "`make release`")
    if not git.succeeds("rev-parse", "--verify", "--quiet", ref):
        git.git("fetch", "--quiet", remote, "tag", version, "--no-tags")
    if git.git("rev-parse", ref) != published or git.git("cat-file", "-t", ref) != "tag":
        found = f"{version} here is not the remote's tag, or is a lightweight tag"
        fix = f"`git tag -d {version}`, then repeat the command"
        raise Refused(found, "the annotated tag that `make release` made", fix)
    return of(version, environment, folder)


def last_version() -> str | None:
    """Return the newest version in this history, or None before the first."""
    return versions.newest(git.git("tag", "--merged", "HEAD").split()) if git.has_commit() else None


def of(version: str, environment: str, folder: Path | None = None) -> Release:
    """Return the files of a version whose tag is here."""
    commit = git.git("rev-parse", f"refs/tags/{version}^{{commit}}")
    return unpacked(Build(version, commit), environment, folder)


def unpacked(build: Build, environment: str, folder: Path | None = None) -> Release:
    """Return the files of a commit or tree, in a folder of their own below `folder`."""
    own = (folder or FOLDER) / folder_name(build)
    if not own.exists():
        unpack(build.commit, own)
    return Release(build, own, environment)


def unpack(treeish: str, folder: Path) -> None:
    """Write the files of a commit or tree into a new folder: all of them, or no folder."""
    if modules := [
        line for line in git.git("ls-tree", "-r", treeish).splitlines() if line[:6] == LINK
    ]:
        found = f"{treeish} has {len(modules)} submodules, whose files no release has"
        raise Refused(found, "all files in this repository", "copy them here, or install them")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        archive, files = Path(aside, "tar"), Path(aside, "files")
        git.git("archive", "--format=tar", f"--output={archive}", treeish)
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since Python 3.11.4
            tar.extractall(files)  # noqa: S202  git has written it
        for path in (files, *files.rglob("*")):  # containers read it, whatever the umask
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        files.rename(folder)


def folder_name(build: Build) -> str:
    return f"{build.version}-{build.commit[:12]}"


def migrations(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("migrations/versions/*.py")}


def host(release: Release) -> str:
    hosts = Configuration(release.folder).values(release.environment).get("APP_ALLOWED_HOSTS", "")
    return hosts.split(",")[0].removeprefix("*.") or "localhost"


def secret_files(release: Release) -> dict[str, str]:
    """Return the settings that are secrets there, each with the name of its file."""
    values = Configuration(release.folder).values(release.environment).items()
    return {
        name: value.removeprefix(REFERENCE) for name, value in values if value.startswith(REFERENCE)
    }
