import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.ops.shipping import hook
from vitals.ops.run import git
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

    git.unpack(git.git("write-tree"), repository / "unpacked")

    assert (repository / "unpacked" / "deploy").read_text() == "#!/bin/sh\n"


def test_a_command_that_needs_git_says_that_git_is_not_installed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository))

    with pytest.raises(Refused, match="no git on this machine"):
        git.head()
