"""Each check finds the fault that it is for, planted into a real project, and nothing else."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.ops.security import planted
from vitals.ops.check.security.__main__ import CHECKS

RUNS = {
    "routes that stop the start": planted.NEVER_STARTS,
    "routes": planted.ROUTE_FAULTS,
    "data": planted.DATA_FAULTS,
    "origins": planted.CORS_FAULTS,
    "settings": planted.SETTING_FAULTS,
    "files": planted.FILE_FAULTS,
}
IN_HISTORY = "SEC-202"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project inside the template."""
    for name in baking.project_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(baking.IN_PLACE / name, tmp_path / name)
    return tmp_path


def look(project: Path) -> tuple[int, list[str], str]:
    """Run the checklist as `make security` does: the exit code, the findings, the last line."""
    command = [sys.executable, "-m", "vitals.ops.check.security"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    findings = re.findall(r"^SEC-.*$", done.stdout, re.MULTILINE)
    assert done.stderr == ""
    return done.returncode, findings, done.stdout.rstrip().rpartition("\n")[2]


@pytest.mark.parametrize("name", RUNS)
def test_planted_faults_are_found_by_their_checks_and_no_other(project: Path, name: str) -> None:
    expected = [pair for fault in RUNS[name] for pair in fault.finds.items()]
    planted.apply(project, RUNS[name])

    code, findings, _ = look(project)

    missed = [(i, s) for i, s in expected if not any(is_it(line, i, s) for line in findings)]
    more = [line for line in findings if not any(is_it(line, i, s) for i, s in expected)]
    assert (missed, more, code) == ([], [], 1)


def test_harmless_neighbours_of_the_faults_are_not_findings(project: Path) -> None:
    planted.apply(project, planted.HARMLESS)

    code, findings, last = look(project)

    assert (code, findings) == (0, []), last


def test_a_secret_that_was_committed_and_removed_is_found_in_the_history(project: Path) -> None:
    key = project / "app/key.py"
    key.write_text('KEY = "-----BEGIN EC PRIVATE KEY-----"\n')  # pragma: allowlist secret
    git(project, "init", "--quiet")
    commit(project, "one")
    key.unlink()
    commit(project, "two")

    _, findings, _ = look(project)

    first = git(project, "rev-parse", "--short", "HEAD~1")
    assert [is_it(line, IN_HISTORY, first) for line in findings] == [True]


def test_every_check_is_proved_by_a_planted_fault() -> None:
    proved = {id_ for faults in RUNS.values() for fault in faults for id_ in fault.finds}

    assert {check.id for check in CHECKS} == proved | {IN_HISTORY}


def test_a_project_without_the_example_has_nothing_to_test_and_passes(project: Path) -> None:
    without_routes(project)

    code, findings, last = look(project)

    assert (code, findings) == (0, [])
    assert "nothing to test yet" in last


def test_the_first_path_of_a_team_is_tested(project: Path) -> None:
    without_routes(project)
    (fault,) = [f for f in planted.ROUTE_FAULTS if "SEC-406" in f.finds and "pages" in f.becomes]
    planted.apply(project, [fault])

    code, findings, _ = look(project)

    assert code == 1
    assert [is_it(line, "SEC-406", "GET /pages") for line in findings] == [True]


def is_it(line: str, id_: str, says: str) -> bool:
    return line.startswith(f"{id_} ") and says in line


def without_routes(project: Path) -> None:
    """What `make remove-example` leaves of the files that the checklist reads."""
    main, slo = project / "app/main.py", project / "config/slo.toml"
    main.write_text(re.sub(r".*include_router.*\n", "", main.read_text()))
    slo.write_text(re.sub(r"^\[\[.*", "", slo.read_text(), flags=re.DOTALL | re.MULTILINE))


def git(project: Path, *words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@x.internal"]
    command = ["git", *who, *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(project: Path, message: str) -> None:
    git(project, "add", "-A")
    git(project, "commit", "--quiet", "-m", message)
