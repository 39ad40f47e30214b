"""The whole table of faults runs in the template's own tests: here is what a change may break."""

import io
from pathlib import Path

import pytest

from tests.ops.shipping import commit, hook, state
from vitals.ops.release import release, repository_state
from vitals.ops.run import git, shell, steps


def test_a_version_leaves_with_its_notes_and_the_next_one_follows(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.release("minor", dry=False, unasked=True) == 0
    commit("app/cache.py", "changes/0001-cache.toml")
    assert release.release("patch", dry=False, unasked=True) == 0

    tag = "refs/tags/v0.1.1"
    assert git.remote_refs("origin", tag)[tag] == git.git("rev-parse", tag)
    assert "files: app/cache.py" in git.git("cat-file", "tag", tag)
    assert capsys.readouterr().out.endswith(
        "released v0.1.1\n"
        "  to deploy:  make deploy ENV=staging VERSION=v0.1.1\n"
        "  to undo:    make rollback ENV=staging\n"
    )
    assert ready.exists()


def test_every_refusal_is_shown_at_once_and_nothing_is_touched(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.release("minor", dry=False, unasked=True) == 0
    commit("app/cache.py")
    git.git("switch", "--quiet", "--create", "topic")
    git.git("tag", "v9.9.9")
    (ready / "new").write_text("untracked")
    git.git("config", "--unset", "branch.main.remote")
    before = state()

    assert release.release("minor", dry=False, unasked=True) == 1

    said = capsys.readouterr().out
    for fix in (
        "git switch main",
        "git stash --include-untracked",
        "make check",
        "make rehearse",
        'make change TITLE="…"',
        "git push --set-upstream origin main",
        "git tag --delete v9.9.9",
    ):
        assert f"Fix: `{fix}`" in said
    assert "nothing was changed" in said
    assert state() == before


@pytest.mark.usefixtures("ready")
def test_a_dry_run_and_a_no_change_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state()
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))

    assert release.release("minor", dry=True, unasked=False) == 0
    assert release.release("minor", dry=False, unasked=False) == 1

    assert "First release." in capsys.readouterr().out
    assert state() == before


@pytest.mark.usefixtures("ready")
def test_a_question_without_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    with pytest.raises(steps.Refused, match="YES=1 asks nothing"):
        release.release("minor", dry=False, unasked=False)


def test_a_remote_that_refuses_leaves_nothing_and_the_same_command_works_later(
    ready: Path,
) -> None:
    refusing = ready / "build" / "origin" / "hooks" / "pre-receive"
    hook(refusing, "echo not on Fridays >&2; exit 1")
    before = state()

    with pytest.raises(steps.Refused, match="nothing was changed") as refused:
        release.release("minor", dry=False, unasked=True)

    assert "not on Fridays" in refused.value.output
    assert state() == before
    refusing.unlink()
    assert release.release("minor", dry=False, unasked=True) == 0


@pytest.mark.usefixtures("ready")
def test_a_push_that_arrived_though_it_failed_is_a_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    push = git.push

    def cut_off(remote: str, source: str, ref: str) -> shell.Finished:
        assert push(remote, source, ref).code == 0
        return shell.Finished(128, "the remote end hung up unexpectedly")

    monkeypatch.setattr("vitals.ops.run.git.push", cut_off)

    assert release.release("minor", dry=False, unasked=True) == 0

    assert "refs/tags/v0.1.0" in git.local_refs("refs/tags/v*")


@pytest.mark.usefixtures("ready")
def test_a_release_that_was_cut_off_is_finished_by_the_same_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert release.release("minor", dry=False, unasked=True) == 0
    git.git("tag", "--delete", "v0.1.0")

    assert release.release("minor", dry=True, unasked=True) == 0
    assert git.local_refs("refs/tags/v*") == {}
    assert release.release("minor", dry=False, unasked=True) == 0

    assert "v0.1.0 had reached origin already\nreleased v0.1.0\n" in capsys.readouterr().out
    assert git.local_refs("refs/tags/v*") == git.remote_refs("origin", "refs/tags/v*")


@pytest.mark.usefixtures("ready")
def test_a_release_that_comes_second_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    push = git.push

    def too_late(remote: str, source: str, ref: str) -> shell.Finished:
        theirs = git.tag_object("v0.1.0", "theirs")
        assert push(remote, theirs, ref).code == 0
        return push(remote, source, ref)

    monkeypatch.setattr("vitals.ops.run.git.push", too_late)

    with pytest.raises(steps.Refused, match=r"another release of v0\.1\.0 came first"):
        release.release("minor", dry=False, unasked=True)

    assert git.local_refs("refs/tags/v*") == {}


@pytest.mark.usefixtures("ready")
def test_a_silent_remote_is_refused_with_the_command_that_shows_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    git.git("remote", "set-url", "origin", "../nowhere")
    assert release.release("minor", dry=False, unasked=True) == 1
    assert "Fix: `git ls-remote origin`" in capsys.readouterr().out

    git.git("remote", "remove", "origin")
    assert release.release("minor", dry=False, unasked=True) == 1
    assert "Fix: `git remote add origin ADDRESS`" in capsys.readouterr().out


def test_without_a_commit_there_is_nothing_to_release(repository: Path) -> None:
    with pytest.raises(steps.Refused, match="no commit yet"):
        repository_state.read("minor")

    assert repository.exists()
