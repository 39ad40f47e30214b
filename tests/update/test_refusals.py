"""Refusals of `make update`: each says why, and nothing is changed."""

import json
import shutil
from pathlib import Path

import pytest

from tests.release.world import append, run
from tests.update.versions import MOVED, NEXT, NOW, commit, edit, files, repository, status, take_in


def no_repository(project: Path) -> None:
    shutil.rmtree(project / ".git")


def no_commit(project: Path) -> None:
    no_repository(project)
    run(project, "git", "init", "--quiet")


def uncommitted(project: Path) -> None:
    append(project / "README.md", "More.\n")


def merging(project: Path) -> None:
    run(project, "git", "switch", "--quiet", "--create", "side")
    run(project, "git", "commit", "--quiet", "--no-verify", "--allow-empty", "--message=Side")
    run(project, "git", "switch", "--quiet", "main")
    run(project, "git", "merge", "--quiet", "--no-ff", "--no-commit", "side")


def in_the_way(project: Path) -> None:
    (project / MOVED[1]).write_text("mine\n")


def record(**changed: str):
    def change(project: Path) -> None:
        path = project / ".vitals.json"
        text = path.read_text(encoding="utf-8")
        path.write_text(json.dumps(json.loads(text) | changed, indent=2), encoding="utf-8")
        commit(project, "Record")

    return change


def no_record(project: Path) -> None:
    (project / ".vitals.json").write_text("{}\n")
    commit(project, "No record")


def another_answer(project: Path) -> None:
    edit(project / ".vitals.json", '"ci": "github"', '"ci": "jenkins"')
    commit(project, "Another answer")


def nothing(_: Path) -> None: ...


REAL = "real"
REFUSED = [
    (no_repository, REAL, "", "no git repository of its own here. Fix: `git init -b main`"),
    (no_commit, REAL, "", "no commit yet. Fix: `git add --all && git commit`"),
    (uncommitted, REAL, "", "1 files with uncommitted changes; expected none, so that"),
    (merging, REAL, "", "a merge in progress; expected none. Fix: finish it, or `git merge"),
    (in_the_way, REAL, "", f"files in the way that git does not know: {MOVED[1]}; expected"),
    (no_record, REAL, "", ".vitals.json is no record (KeyError('template'))"),
    (another_answer, REAL, "", "ci='jenkins' is no answer any more; expected the recorded"),
    (
        nothing,
        "",
        "",
        "no template in .vitals.json; expected its git address or folder. Fix: `make",
    ),
    (
        nothing,
        "--upload-pack=x",
        "",
        "TEMPLATE=--upload-pack=x; expected its git address or folder",
    ),
    (nothing, "../nowhere", "", "../nowhere refused; expected its branches and tags, without a"),
    (nothing, "../unreleased", "", "no version of ../unreleased; expected a tag such as v1.2.0"),
    (nothing, REAL, "v7.0.0", f"expected one of {NEXT}, {NOW}"),
    (
        record(commit="f" * 40, version="v7.0.0"),
        REAL,
        "",
        "made from an unknown version: v7.0.0",
    ),
    (
        record(commit="", version=""),
        REAL,
        "",
        "made from an unknown version: none is recorded",
    ),
    (record(commit="", version=NEXT), REAL, NOW, f"VERSION={NOW}; expected one after {NEXT}"),
]


@pytest.mark.parametrize(("prepare", "address", "version", "reason"), REFUSED)
def test_a_refusal_says_why_in_one_line_and_nothing_is_changed(
    project, prepare, address, version, reason
):
    run(project.parent, "git", "init", "--quiet", "unreleased")
    prepare(project)
    git = run(project, "git", "status", "--porcelain") if (project / ".git").exists() else ""
    before = files(project)

    done = take_in(project, repository() if address == REAL else address, version)

    assert done.returncode == 1, done.stdout
    refusal = done.stdout.splitlines()[-1]
    assert reason in refusal
    assert "Fix: " in refusal
    assert refusal.endswith("Nothing was changed; safe to retry")
    assert files(project) == before
    assert not (project / ".git").exists() or status(project) == git
