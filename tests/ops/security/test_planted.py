"""Each check finds the faults that it is for, planted into a real project, and names the place."""

import datetime as dt
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import baking
from tests.ops.security import planted, planted_application, planted_delivery
from vitals.ops.check.security.__main__ import CHECKS

HERE = Path(__file__).parent
RUNS = {**planted_application.ALONE, **planted_delivery.ALONE}
FAULTY, HARMLESS = HERE / "routes_with_faults.py", HERE / "routes_without.py"
IN_HISTORY = "SEC-202"


class Look(NamedTuple):
    """What the checklist said: the exit code, the findings, and each by its id and place."""

    code: int
    lines: list[str]
    places: list[tuple[str, str]]
    last: str


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project inside the template."""
    for name in baking.project_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(baking.IN_PLACE / name, tmp_path / name)
    return tmp_path


def look(project: Path) -> Look:
    """Run the checklist as `make security` does."""
    command = [sys.executable, "-m", "vitals.ops.check.security"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return said(done.returncode, done.stdout)


def said(code: int, output: str) -> Look:
    lines = re.findall(r"^SEC-.*$", output, re.MULTILINE)
    places = [
        (id_, re.sub(r":\d+", "", place))
        for id_, place in re.findall(r"^(SEC-\d+) (.+?): ", output, re.MULTILINE)
    ]
    done = re.findall(r"^.*\d+ checks, .*$", output, re.MULTILINE)
    return Look(code, lines, places, done[-1] if done else output)


def expected(routes: Path) -> list[tuple[str, str]]:
    """The ids and places in the comments of a module of routes."""
    return re.findall(r"^ *# (SEC-\d+) (.+)$", routes.read_text(), re.MULTILINE)


def plant_routes(project: Path, routes: Path) -> None:
    """Have the application add a module of routes, and run what is left for later."""
    shutil.copy(routes, project / "app/planted.py")
    main = project / "app/main.py"
    text = main.read_text().replace(
        "import vitals\n", "import vitals\nfrom app import planted\n", 1
    )
    call = "    planted.add(app, settings)\n    vitals.install(\n"
    later = '    getattr(app.state, "later", int)()\n    return app\n'
    text = text.replace("    vitals.install(\n", call).replace("    return app\n", later)
    main.write_text(text)


def names(place: str, wanted: str) -> bool:
    """Whether a place is the wanted one: the same route or file, and all its other words."""
    return route(place) == route(wanted) and all(word in place for word in wanted.split())


def route(place: str) -> list[str]:
    return place.split()[:2]


def test_routes_with_faults_are_found_by_id_and_place_and_nothing_else_is(project: Path) -> None:
    plant_routes(project, FAULTY)
    wanted = expected(FAULTY)

    found = look(project).places

    missed = [(i, w) for i, w in wanted if not any(j == i and names(p, w) for j, p in found)]
    more = [(i, p) for i, p in found if not any(j == i and route(w) == route(p) for j, w in wanted)]
    assert (missed, more) == ([], [])


@pytest.mark.parametrize("name", RUNS)
def test_planted_faults_are_found_by_id_and_place(project: Path, name: str) -> None:
    wanted = [pair for fault in RUNS[name] for pair in fault.finds.items()]
    planted.apply(project, RUNS[name])

    seen = look(project)

    assert [(i, w) for i, w in wanted if not any(is_it(x, i, w) for x in seen.lines)] == []
    assert seen.code == 1


def test_harmless_neighbours_of_the_faults_are_not_findings(project: Path) -> None:
    plant_routes(project, HARMLESS)
    planted.apply(project, [*planted_delivery.HARMLESS, *planted_application.HARMLESS])

    seen = look(project)

    assert (seen.code, seen.lines) == (0, []), seen.last


def test_a_secret_that_was_committed_and_removed_is_found_in_the_history(project: Path) -> None:
    key = project / "app/key.py"
    key.write_text('KEY = "-----BEGIN EC PRIVATE KEY-----"\n')  # gitleaks:allow
    git(project, "init", "--quiet")
    commit(project, "one")
    key.unlink()
    commit(project, "two")

    seen = look(project)

    first = git(project, "rev-parse", "--short", "HEAD~1")
    assert [is_it(line, IN_HISTORY, first) for line in seen.lines] == [True]


def test_every_check_is_proved_by_a_planted_fault() -> None:
    proved = {id_ for faults in RUNS.values() for fault in faults for id_ in fault.finds}
    proved |= {id_ for id_, _ in expected(FAULTY)}

    assert {check.id for check in CHECKS} == proved | {IN_HISTORY}


def test_at_least_eighty_faults_are_planted() -> None:
    patches = sum(len(fault.finds) for faults in RUNS.values() for fault in faults)

    assert len(set(expected(FAULTY))) + patches >= 80


def test_one_accepted_finding_hides_no_other(project: Path) -> None:
    plant_routes(project, FAULTY)
    entry = '[[accepted]]\nid = "SEC-103"\nplace = "POST /public-post"\nowner = "o"\nreason = "r"\n'
    accepted = project / "config/security-accepted.toml"
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=300)).date()
    accepted.write_text(f"{entry}until = {until}\n")

    places = [place for id_, place in look(project).places if id_ == "SEC-103"]

    assert sorted(places) == ["DELETE /public-delete/{n}", "GET /admin/users"]


def test_a_project_without_the_example_has_nothing_to_test_and_passes(project: Path) -> None:
    without_routes(project)

    seen = look(project)

    assert (seen.code, seen.lines) == (0, [])
    assert "nothing to test yet" in seen.last


def is_it(line: str, id_: str, says: str) -> bool:
    place = line.removeprefix(f"{id_} ").partition(": ")[0]
    return line.startswith(f"{id_} ") and (says in line or names(place, says))


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
