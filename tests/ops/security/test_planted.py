"""Each check finds the faults that it is for, planted into a real project, and names the place."""

import datetime as dt
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.ops.security import runs
from vitals.ops.check.security.__main__ import CHECKS

IN_HISTORY = "SEC-202"
ENTRY = """
[[accepted]]
id = "SEC-103"
place = "POST /public-post"
owner = "team"
reason = "a log-in"
until = {}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project inside the template."""
    for name in baking.project_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(baking.IN_PLACE / name, tmp_path / name)
    return tmp_path


def look(project: Path) -> runs.Look:
    """Run the checklist as `make security` does."""
    command = [sys.executable, "-m", "vitals.ops.check.security"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return runs.said(done.returncode, done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", runs.RUNS)
def test_planted_faults_are_found_by_id_and_place(project: Path, name: str) -> None:
    wanted = runs.plant(project, name)

    seen = look(project)

    assert (seen.missed(wanted), seen.code) == ([], 1)
    assert wanted == runs.wanted(name)  # here are the files of all options


@pytest.mark.slow
def test_nothing_is_found_in_routes_with_faults_but_these_faults(project: Path) -> None:
    runs.plant(project, "routes")
    known = [(id_, runs.route(place)) for id_, place in runs.wanted("routes")]

    found = look(project).places

    assert [(i, place) for i, place in found if (i, runs.route(place)) not in known] == []


@pytest.mark.slow
def test_harmless_neighbours_of_the_faults_are_not_findings(project: Path) -> None:
    runs.plant_harmless(project)

    seen = look(project)

    assert (seen.code, seen.lines) == (0, []), seen.last


@pytest.mark.slow
def test_a_secret_that_was_committed_and_removed_is_found_in_the_history(project: Path) -> None:
    key = project / "app/key.py"
    key.write_text('KEY = "-----BEGIN EC PRIVATE KEY-----"\n')  # pragma: allowlist secret
    git(project, "init", "--quiet")
    commit(project, "one")
    key.unlink()
    commit(project, "two")

    seen = look(project)

    first = git(project, "rev-parse", "--short", "HEAD~1")
    assert [runs.is_it(line, IN_HISTORY, first) for line in seen.lines] == [True]


@pytest.mark.slow
def test_a_repository_of_another_user_is_no_pass(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(project, "init", "--quiet")
    commit(project, "one")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    seen = look(project)

    assert seen.code == 1
    (line,) = [line for line in seen.lines if " could not be checked: " in line]
    assert {"SEC-201", "SEC-202"} <= set(line.split())


def test_every_check_is_proved_by_a_planted_fault() -> None:
    proved = {id_ for name in runs.RUNS for id_, _ in runs.wanted(name)}

    assert {check.id for check in CHECKS} == proved | {IN_HISTORY}


def test_at_least_eighty_faults_are_planted() -> None:
    assert len([place for name in runs.RUNS for place in set(runs.wanted(name))]) >= 80


@pytest.mark.slow
def test_one_accepted_finding_hides_no_other(project: Path) -> None:
    runs.plant(project, "routes")
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=300)).date()
    (project / "config/security-accepted.toml").write_text(ENTRY.format(until))

    places = [place for id_, place in look(project).places if id_ == "SEC-103"]

    assert sorted(places) == ["DELETE /public-delete/{n}", "GET /admin/users"]


@pytest.mark.slow
def test_a_project_without_the_example_has_nothing_to_test_and_passes(project: Path) -> None:
    main, slo = project / "app/main.py", project / "config/slo.toml"
    main.write_text(re.sub(r".*include_router.*\n", "", main.read_text()))
    slo.write_text(re.sub(r"^\[\[.*", "", slo.read_text(), flags=re.DOTALL | re.MULTILINE))

    seen = look(project)

    assert (seen.code, seen.lines) == (0, [])
    assert "nothing to test yet" in seen.last


def git(project: Path, *words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@x.internal"]
    command = ["git", *who, *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(project: Path, message: str) -> None:
    git(project, "add", "-A")
    git(project, "commit", "--quiet", "-m", message)
