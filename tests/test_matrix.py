"""Projects on each Python, and on the oldest and newest packages that they allow.

A row of ROWS is a project that is set up, checked, started and called. Each pair of choices is in
some row. Combinations that are in no row are only type-checked.
"""

import itertools
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import newest
from tests.baking import (
    ROOT,
    SCRATCH,
    VARIANTS,
    ask,
    bake,
    environment,
    files_of,
    generate,
    make,
    serving,
    set_up,
)
from tests.test_variants import COMBINATIONS
from vitals.ops.project import setup

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
RESOLUTIONS = {"locked": None, "newest": "highest", "lowest": "lowest-direct"}
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
CHOICES = [list(VARIANTS), QUESTIONS["deploy"], QUESTIONS["ci"], PYTHONS, list(RESOLUTIONS)]


class Row(NamedTuple):
    variant: str
    deploy: str
    ci: str
    python: str
    packages: str

    def answers(self) -> dict[str, str]:
        return {**VARIANTS[self.variant], "deploy": self.deploy, "ci": self.ci}


def rows() -> Iterator[Row]:
    """Each variant on each Python; the other choices in turns that differ, so that they meet."""
    variants, deploys, cis, pythons, packages = CHOICES
    for (v, variant), (p, python) in itertools.product(enumerate(variants), enumerate(pythons)):
        deploy, ci = deploys[(v + p) % len(deploys)], cis[(2 * v + p) % len(cis)]
        yield Row(variant, deploy, ci, python, packages[(v + p) % len(packages)])


ROWS = list(rows())


def test_each_choice_meets_each_choice_of_another_question():
    missing = [
        pair
        for (i, some), (j, others) in itertools.combinations(enumerate(CHOICES), 2)
        for pair in itertools.product(some, others)
        if pair not in {(row[i], row[j]) for row in ROWS}
    ]

    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_project_passes_its_checks_and_answers(row):
    # Elsewhere than pytest's own folders: the project's pytest, which another /tmp may hide our
    # marks from, deletes all but the newest three.
    project = generate(Path(tempfile.mkdtemp(dir=SCRATCH)) / "Über uns", **row.answers())
    start, python = interpreter(row.python, project)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)
    locked = newest.versions(project)
    if resolution := RESOLUTIONS[row.packages]:
        newest.pin(project, resolution)

    for works in (partial(works, project, python, start) for works in (serves, passes_its_checks)):
        if not works():
            reason = "the output above says why"
            if row.packages == "newest":
                reason = newest.blame(project, locked, works)
            pytest.fail(f"{works.func.__name__}: {reason}")

    record = json.loads((project / "build" / "check.json").read_text(encoding="utf-8"))
    assert (record["ok"], bool(record["tree"])) == (True, True)


def interpreter(version: str, project: Path) -> tuple[list[str], str]:
    """Find the Python of a row; return what starts a command where it is, and its name there.

    It is one of uv, or one on PATH, where pyenv offers its own. For what is not here, OTHER_PYTHONS
    may name a command: `$OTHER_PYTHONS 3.15 FOLDER -- make check` runs make with that python3.
    """
    found = subprocess.run(
        [setup.uv(), "python", "find", "--no-project", "--system", version],
        env=environment(PYENV_VERSION=version),
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return [], found.stdout.strip()
    if not (other := shlex.split(os.environ.get("OTHER_PYTHONS", ""))):
        pytest.fail(f"no Python {version} here: `uv python install {version}`, then repeat")
    return [*other, version, str(project), "--"], "python3"


def passes_its_checks(project: Path, python: str, start: list[str]) -> bool:
    done = make(project, "check", f"PYTHON={python}", within_seconds=480, start=start)
    print(done.stdout)
    return done.returncode == 0


def serves(project: Path, python: str, start: list[str]) -> bool:
    """Whether health, metrics and the example feature answer over a socket."""
    try:
        set_up(project, f"PYTHON={python}", start=start)
        with serving(project, start) as address:
            health = json.loads(ask(f"{address}/health"))
            item = json.loads(ask(f"{address}/items", {"name": "Tea", "price": 3}))
            again = json.loads(ask(f"{address}/items/{item['id']}"))
            metrics = ask(f"{address}/metrics")
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        print(error)
        return False
    route = 'http_route="/items/{item_id}"'
    print(health, item, again)
    return (health["status"], again, route in metrics) == ("pass", item, True)


@pytest.mark.slow
def test_projects_that_no_row_checks_have_clean_types_too(tmp_path):
    """With the packages of the full project: the other variants lock the same versions."""
    full = generate(tmp_path)
    set_up(full)
    python = full / ".venv" / "bin" / "python"
    seen = {sources(bake(**row.answers())) for row in ROWS}

    unclean = []
    for answers in COMBINATIONS:
        project = bake(**answers)
        if sources(project) not in seen:
            seen.add(sources(project))
            command = [python, "-m", "pyrefly", "check", "--python-interpreter-path", python]
            done = subprocess.run(command, cwd=project, stdout=sys.stderr, check=False)
            unclean += [answers] if done.returncode else []

    assert unclean == []


def sources(project: Path) -> tuple[str, ...]:
    """All that a type checker reads of a project; equal sources have equal results."""
    return tuple(
        part
        for name, text in files_of(project).items()
        if name.endswith(".py")
        for part in (name, text)
    )
