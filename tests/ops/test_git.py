import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.ops.shipping import hook
from vitals.ops.release import releases
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused


def test_the_tree_hash_is_that_of_the_commit_that_holds_all_files(repository: Path) -> None:
    (repository / ".gitignore").write_text("ignored\n")
    (repository / "tracked").write_text("1")
    git.git("add", "--all")
    (repository / "untracked").write_text("2")
    (repository / "ignored").write_text("3")

    before = git.tree_hash()

    assert git.git("status", "--porcelain", "untracked") == "?? untracked", "the index was touched"
    git.git("add", "--all")
    assert git.git("write-tree") == before
    (repository / "tracked").write_text("4")
    assert git.tree_hash() != before


def test_a_change_within_the_second_of_the_last_add_has_another_tree_hash(repository: Path) -> None:
    """Where git can't tell by the times, it reads: the copy of the index must be as old."""
    tracked, then = repository / "tracked", (1_700_000_000, 1_700_000_000)
    git.git("config", "core.trustctime", "false")
    tracked.write_text("1")
    os.utime(tracked, then)
    git.git("add", "--all")
    os.utime(repository / ".git" / "index", then)
    before = git.tree_hash()

    tracked.write_text("4")
    os.utime(tracked, then)

    assert git.tree_hash() != before


def test_there_is_no_tree_hash_inside_another_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = repository / "inner"
    inner.mkdir()
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", inner)

    assert git.tree_hash() is None


def test_a_repository_without_git_is_refused_not_taken_for_none(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository))

    with pytest.raises(Refused, match="no git on this machine"):
        git.tree_hash()


@pytest.mark.usefixtures("repository")
def test_a_repository_of_another_user_is_refused_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(Refused) as refused:
        git.tree_hash()

    assert "safe.directory" in refused.value.output


@pytest.mark.usefixtures("repository")
def test_a_failing_git_is_refused_with_its_own_words() -> None:
    with pytest.raises(Refused) as refused:
        git.git("rev-parse", "--verify", "no-such-branch")

    assert "single revision" in refused.value.output


def test_a_hash_can_be_taken_from_a_second_work_tree(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    (repository / "file").write_text("1")
    git.git("add", "--all")
    git.git(*who, "commit", "--quiet", "--message", "first")
    second = tmp_path.parent / f"{tmp_path.name}-second"
    subprocess.run(["git", "worktree", "add", "--quiet", second], cwd=repository, check=True)
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", second)

    assert git.tree_hash() == git.git("rev-parse", "HEAD^{tree}")


SIGNER = """
cat > /dev/null
echo "[GNUPG:] SIG_CREATED " >&2
echo "-----BEGIN PGP SIGNATURE-----"
"""


def test_a_tag_is_signed_where_git_is_set_up_to_sign(somebody: Path) -> None:
    hook(somebody / ".git" / "signer", SIGNER)
    git.git("commit", "--quiet", "--allow-empty", "--message=first")
    git.git("config", "gpg.program", str(somebody / ".git" / "signer"))
    git.git("config", "tag.gpgSign", "true")

    made = git.tag_object("v0.1.0", "v0.1.0\n\nnotes\n")

    assert "-----BEGIN PGP SIGNATURE-----" in git.git("cat-file", "tag", made)
    assert git.local_refs("refs/tags/v*") == {}


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize("way", ["openpgp", "ssh"])
def test_a_signature_that_fails_is_refused(way: str) -> None:
    git.git("commit", "--quiet", "--allow-empty", "--message=first")
    git.git("config", "gpg.format", way)
    git.git("config", "gpg.program", "false")
    git.git("config", "gpg.ssh.program", "false")
    git.git("config", "user.signingKey", "no-such-key")
    git.git("config", "tag.gpgSign", "true")

    with pytest.raises(Refused, match=r"git could not (make|sign) the tag"):
        git.tag_object("v0.1.0", "v0.1.0\n\nnotes\n")

    assert git.local_refs("refs/tags/v*") == {}


def test_the_python_of_debian_12_unpacks_too(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its 3.11.2 has no filters for archives."""
    (repository / "deploy").write_text("#!/bin/sh\n")
    git.git("add", "--all")
    now = tarfile.TarFile.extractall
    monkeypatch.setattr(tarfile.TarFile, "extractall", lambda tar, path: now(tar, path))

    releases.unpack(git.git("write-tree"), repository / "unpacked")

    assert (repository / "unpacked" / "deploy").read_text() == "#!/bin/sh\n"


def test_a_command_that_needs_git_says_that_git_is_not_installed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository))

    with pytest.raises(Refused, match="no git on this machine"):
        git.head()


def test_what_is_read_does_not_depend_on_the_settings_of_the_user(
    somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (somebody / "a").write_text("1")
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message=a")
    for version in ("v0.1.0", "v0.2.0"):
        git.git("tag", version)
    settings = "[column]\nui = always\n[color]\nui = always\n[log]\nshowSignature = true\n"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(somebody / ".git" / "odd"))
    (somebody / ".git" / "odd").write_text(settings)

    assert git.git("tag", "--merged", "HEAD") == "v0.1.0\nv0.2.0"
    assert releases.last_version() == "v0.2.0"


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"])
def test_what_a_hook_says_of_another_repository_does_not_count(
    name: str, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init", "--quiet", other], check=True)
    ask = "from vitals.ops.run import git, shell; import sys, pathlib"
    ask += "; shell.ROOT = pathlib.Path(sys.argv[1])"
    ask += "; print(git.git('rev-parse', '--show-toplevel'))"

    done = subprocess.run(
        [shell.PYTHON, "-c", ask, str(repository)],
        cwd=shell.__file__.rpartition("/vitals/")[0],
        env={**os.environ, name: str(other / ".git")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.strip() == str(repository.resolve()), done.stderr


def test_a_release_with_submodules_is_refused_rather_than_incomplete(somebody: Path) -> None:
    commit = "160000," + "0a" * 20 + ",library"
    git.git("update-index", "--add", "--cacheinfo", commit)
    git.git("commit", "--quiet", "--message=a")

    with pytest.raises(Refused, match="1 submodules"):
        releases.unpack("HEAD", somebody / "unpacked")

    assert not (somebody / "unpacked").exists()


@pytest.mark.parametrize("umask", [0o077, 0o027])
def test_what_is_unpacked_can_be_read_by_containers_whatever_the_umask(
    umask: int, somebody: Path
) -> None:
    (somebody / "deploy").mkdir()
    (somebody / "deploy" / "a.sh").write_text("#!/bin/sh\n")
    (somebody / "deploy" / "a.sh").chmod(0o755)
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message=a")
    before = os.umask(umask)
    try:
        releases.unpack("HEAD", somebody / "unpacked")
    finally:
        os.umask(before)

    modes = [p.stat().st_mode & 0o777 for p in (somebody / "unpacked" / "deploy").rglob("*")]
    assert (somebody / "unpacked" / "deploy").stat().st_mode & 0o777 == 0o755
    assert modes == [0o755]
