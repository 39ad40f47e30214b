import json
import sys
from pathlib import Path

import pytest

from vitals.ops.check import check
from vitals.ops.run import git, shell

PASSES = ["timeit -n 1 -r 1 pass"]
FAILS = ["json.tool no-such-file"]


@pytest.fixture
def record(repository: Path) -> Path:
    (repository / ".gitignore").write_text("build/\n")
    (repository / "pyproject.toml").touch()
    return repository / "build" / "check.json"


def test_a_tree_that_passed_is_recorded(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": PASSES, "two": PASSES})

    assert check.everything() == 0

    recorded = json.loads(record.read_text())
    assert recorded["tree"] == git.tree_hash()
    assert recorded["ok"] is True
    assert [step["name"] for step in recorded["steps"]] == ["one", "two"]
    assert recorded["not_run"] == []


def test_one_failing_step_fails_the_whole_and_shows_what_was_said(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": FAILS, "two": PASSES})

    assert check.everything() == 1

    assert json.loads(record.read_text())["ok"] is False
    printed = capsys.readouterr().out
    assert "no-such-file" in printed
    assert printed.endswith("failed: one\n")


def test_a_tree_that_changes_meanwhile_is_not_recorded(
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


def test_what_could_not_run_is_the_last_line_and_recorded(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    not_run = "SEC-601 (no network, no cache), SEC-604 (no tool)"
    said = f"print('60 checks hold'); print('not run: {not_run}')"
    monkeypatch.setattr("vitals.ops.check.check._call", lambda said: [sys.executable, "-c", said])
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"one": [said]})

    assert check.everything() == 0

    recorded = json.loads(record.read_text())["not_run"]
    assert recorded == ["SEC-601 (no network, no cache)", "SEC-604 (no tool)"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f"60 checks hold; not run: {not_run}")
    assert lines[-1] == f"not run: {not_run}"


@pytest.mark.parametrize(
    ("table", "steps"),
    [('[tool.vitals]\nmetadata = "app.tables:metadata"', ["schema", "api"]), ("", ["api"])],
)
def test_the_schema_is_a_step_only_with_a_database(
    table: str, steps: list[str], record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shell.ROOT / "pyproject.toml").write_text(table)
    monkeypatch.setattr("vitals.ops.check.check.STEPS", {"schema": PASSES, "api": PASSES})

    assert check.everything() == 0

    assert [step["name"] for step in json.loads(record.read_text())["steps"]] == steps


def test_the_steps_are_those_of_the_contract_in_its_order() -> None:
    contract = "lint types unit integration config schema api security notes engine"

    assert list(check.STEPS) == contract.split()
