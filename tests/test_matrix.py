"""Projects on each Python, and on the oldest and newest packages that they allow.

A row of ROWS is a project that is set up, checked, started and called. Each pair of choices is in
some row. Combinations that are in no row are only type-checked.
"""

import itertools
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import newest
from tests.baking import (
    ROOT,
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

PYTHONS = ["3.11", "3.12", "3.13"]
RESOLUTIONS = {"locked": None, "newest": "highest", "lowest": "lowest-direct"}


class Row(NamedTuple):
    variant: str
    deploy: str
    ci: str
    python: str
    packages: str

    def answers(self) -> dict[str, str]:
        return {**VARIANTS[self.variant], "deploy": self.deploy, "ci": self.ci}


ROWS = [
    Row("full", "kubernetes", "none", "3.12", "locked"),
    Row("full", "compose", "github", "3.11", "newest"),
    Row("full", "kubernetes", "gitlab", "3.13", "lowest"),
    Row("database", "compose", "gitlab", "3.11", "locked"),
    Row("database", "compose", "none", "3.13", "newest"),
    Row("database", "kubernetes", "github", "3.12", "lowest"),
    Row("cache", "kubernetes", "gitlab", "3.13", "locked"),
    Row("cache", "compose", "none", "3.11", "newest"),
    Row("cache", "compose", "github", "3.12", "lowest"),
    Row("plain", "compose", "github", "3.13", "locked"),
    Row("plain", "kubernetes", "gitlab", "3.12", "newest"),
    Row("plain", "kubernetes", "none", "3.11", "lowest"),
]


def test_each_choice_meets_each_choice_of_another_question():
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    choices = [list(VARIANTS), questions["deploy"], questions["ci"], PYTHONS, list(RESOLUTIONS)]

    missing = [
        pair
        for (i, some), (j, others) in itertools.combinations(enumerate(choices), 2)
        for pair in itertools.product(some, others)
        if pair not in {(row[i], row[j]) for row in ROWS}
    ]

    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_project_passes_its_checks_and_answers(tmp_path, row):
    python = interpreter(row.python)
    project = generate(tmp_path / "Über uns", **row.answers())
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)
    locked = newest.versions(project)
    if resolution := RESOLUTIONS[row.packages]:
        newest.pin(project, resolution)

    for works in (partial(serves, project, python), partial(passes_its_checks, project, python)):
        if not works():
            reason = "the output above says why"
            if row.packages == "newest":
                reason = newest.blame(project, locked, works)
            pytest.fail(f"{works.func.__name__}: {reason}")

    record = json.loads((project / "build" / "check.json").read_text(encoding="utf-8"))
    assert (record["ok"], bool(record["tree"])) == (True, True)


def interpreter(version: str) -> str:
    """Find the Python of a row: one of uv, or one on PATH, where pyenv offers its own."""
    found = subprocess.run(
        [setup.uv(), "python", "find", "--no-project", "--system", version],
        env=environment(PYENV_VERSION=version),
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        pytest.fail(f"no Python {version} here: `uv python install {version}`, then repeat")
    return found.stdout.strip()


def passes_its_checks(project: Path, python: str) -> bool:
    done = make(project, "check", f"PYTHON={python}", within_seconds=480)
    print(done.stdout)
    return done.returncode == 0


def serves(project: Path, python: str) -> bool:
    """Whether health, metrics and the example feature answer over a socket."""
    try:
        set_up(project, f"PYTHON={python}")
        with serving(project) as address:
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
