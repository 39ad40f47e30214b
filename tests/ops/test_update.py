from pathlib import Path

import pytest

from vitals.ops.project import template, update
from vitals.ops.run import git


def commit(project: Path, message: str, **files: str) -> str:
    for name, text in files.items():
        (project / "vitals" / name).parent.mkdir(exist_ok=True)
        (project / "vitals" / name).write_text(text)
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message", message)
    return git.git("rev-parse", "HEAD")


def change(folder: Path, **files: str) -> str:
    """What the template changes, seen from the first commit."""
    first = git.git("rev-list", "--max-parents=0", "HEAD")
    for name, text in files.items():
        (folder / "vitals").mkdir(exist_ok=True)
        (folder / "vitals" / name).write_text(text)
    return template.commit_of(folder, "Take in", first)


def test_a_manifest_that_both_sides_changed_is_the_templates_and_no_conflict(
    somebody: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit(somebody, "start", MANIFEST="old  vitals/cache.py\n", cache="a")
    newer = change(tmp_path_factory.mktemp("new"), MANIFEST="new\n", cache="a")
    commit(somebody, "patched", MANIFEST="patched  vitals/cache.py\n")

    conflicts = update.merge(newer)
    left = update.settle_manifest(conflicts)

    assert left == {}
    assert update.unmerged() == {}
    assert (somebody / "vitals" / "MANIFEST").read_text() == "new\n"


def test_an_edited_engine_file_is_merged_and_a_conflict_in_it_is_named(
    somebody: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = "".join(f"line {number}\n" for number in range(30))
    commit(somebody, "start", MANIFEST="old\n", cache=lines, problems=lines)
    newer = change(
        tmp_path_factory.mktemp("new"),
        MANIFEST="new\n",
        cache=lines.replace("line 3\n", "line three\n"),
        problems=lines.replace("line 3\n", "line three\n"),
    )
    commit(
        somebody,
        "patched",
        cache=lines.replace("line 27\n", "patched\n"),
        problems=lines.replace("line 3\n", "patched\n"),
    )

    left = update.settle_manifest(update.merge(newer))

    assert left == {"vitals/problems": "both changed it"}
    merged = (somebody / "vitals" / "cache").read_text()
    assert "line three\n" in merged
    assert "patched\n" in merged
    assert (somebody / "vitals" / "MANIFEST").read_text() == "new\n"
