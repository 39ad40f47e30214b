"""Each check finds the faults that it is for, planted into a real project, and names the place."""

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.ops.security import runs
from vitals.ops.check.security.__main__ import CHECKS

ACCEPTED = ("SEC-103", "POST /public-post")
ENTRY = """
[[accepted]]
id = "SEC-103"
place = "POST /public-post"
owner = "team"
reason = "a log-in"
until = {}
"""


def copied(folder: Path) -> Path:
    """A copy of the project inside the template, which has the files of all options."""
    for name in baking.project_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(baking.IN_PLACE / name, folder / name)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copied(tmp_path)


def look(project: Path) -> runs.Look:
    """Run the checklist as `make security` does."""
    command = [sys.executable, "-m", "vitals.ops.check.security"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return runs.said(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def faulty_routes(tmp_path_factory: pytest.TempPathFactory) -> runs.Look:
    """What is said about routes with faults in a generated project; one of them is accepted."""
    project = tmp_path_factory.mktemp("routes") / "project"
    shutil.copytree(baking.bake(), project)
    runs.plant(project, "routes")
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=300)).date()
    (project / "config/security-accepted.toml").write_text(ENTRY.format(until))
    return look(project)


@pytest.mark.slow
@pytest.mark.xdist_group("routes")
def test_all_faults_in_routes_are_found_but_the_accepted_one(faulty_routes: runs.Look) -> None:
    assert faulty_routes.missed(runs.wanted("routes")) == [ACCEPTED]
    assert faulty_routes.code == 1


@pytest.mark.slow
@pytest.mark.xdist_group("routes")
def test_nothing_is_found_in_routes_with_faults_but_these_faults(faulty_routes: runs.Look) -> None:
    known = [(id_, runs.route(place)) for id_, place in runs.wanted("routes")]

    found = faulty_routes.places

    assert [(i, place) for i, place in found if (i, runs.route(place)) not in known] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", runs.PATCHES)
def test_planted_faults_are_found_by_id_and_place(project: Path, name: str) -> None:
    runs.plant(project, name)

    seen = look(project)

    assert (seen.missed(runs.wanted(name)), seen.code) == ([], 1)


@pytest.mark.slow
def test_harmless_neighbours_of_the_faults_are_not_findings(project: Path) -> None:
    runs.plant_harmless(project)

    seen = look(project)

    assert (seen.code, seen.lines) == (0, []), seen.last


def test_every_check_is_proved_by_a_planted_fault() -> None:
    proved = {id_ for name in runs.RUNS for id_, _ in runs.wanted(name)}

    assert {check.id for check in CHECKS} == proved


def test_at_least_eighty_faults_are_planted() -> None:
    assert len([place for name in runs.RUNS for place in set(runs.wanted(name))]) >= 80
