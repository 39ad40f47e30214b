import json
from pathlib import Path

import pytest
from vitals.ops.check import check
from vitals.ops.run import git

PASSES = ["timeit -n 1 -r 1 pass"]
FAILS = ["json.tool no-such-file"]


@pytest.fixture
def record(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vitals.ops.check.check.RECORD", repository / "build" / "check.json")
    (repository / ".gitignore").write_text("build/\n")
    return check.RECORD


def test_a_tree_that_passed_is_remembered(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": PASSES, "two": PASSES})

    assert check.everything() == 0

    kept = json.loads(record.read_text())
    assert kept["tree"] == git.tree_hash()
    assert kept["ok"] is True
    assert [step["name"] for step in kept["steps"]] == ["one", "two"]


def test_one_failing_step_fails_the_whole_and_shows_what_was_said(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": FAILS, "two": PASSES})

    assert check.everything() == 1

    assert json.loads(record.read_text())["ok"] is False
    printed = capsys.readouterr().out
    assert "no-such-file" in printed
    assert printed.endswith("failed: one\n")


def test_a_tree_that_changes_meanwhile_is_not_remembered(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": PASSES})
    hashes = iter(["before", "after"])
    monkeypatch.setattr("vitals.ops.run.git.tree_hash", lambda: next(hashes))

    assert check.everything() == 1

    assert not record.exists()
    assert "files changed meanwhile" in capsys.readouterr().out


def test_without_a_repository_the_tree_is_null_and_check_says_so(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": PASSES})
    monkeypatch.setattr("vitals.ops.run.git.tree_hash", lambda: None)

    assert check.everything() == 0

    assert json.loads(record.read_text())["tree"] is None
    assert "no git repository" in capsys.readouterr().out


def test_a_step_can_run_alone_and_stops_at_its_first_failing_command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": [*FAILS, *PASSES]})

    assert check.alone("one") != 0

    assert "loop" not in capfd.readouterr().out
