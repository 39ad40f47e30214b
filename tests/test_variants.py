"""All projects that can be generated: clean, and without traces of what was not chosen."""

import hashlib
import itertools
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.answers import UNUSUAL
from tests.baking import (
    ANSWER,
    FOLDER,
    VARIANTS,
    bake,
    environment,
    files_of,
    generate,
    make,
    template,
)

# Words that an answer removes from what the team owns. `vitals/` is whole in every project.
DATABASE = "sqlalchemy alembic asyncpg psycopg aiosqlite postgres sqlite app_database_"
CACHE = "redis valkey app_cache_"
COMPOSE = "compose"
KUBERNETES = "kubernetes kubectl kustomiz k8s configmap"
GITHUB = "github_ github.com actions/checkout runs-on dependabot"
GITLAB = "gitlab ci_job_ ci_api_ ci_project_"
TRACES = [
    ({"database": "false"}, DATABASE),
    ({"database": "false", "cache": "false"}, f"{DATABASE} {CACHE}"),
    ({"cache": "false"}, CACHE),
    ({"deploy": "compose"}, KUBERNETES),
    ({"deploy": "kubernetes"}, COMPOSE),
    ({"ci": "github"}, GITLAB),
    ({"ci": "gitlab"}, GITHUB),
    ({"ci": "none"}, f"{GITHUB} {GITLAB} verify-tag release-page"),
]
COMBINATIONS = [
    {**variant, "deploy": deploy, "ci": ci}
    for variant, deploy, ci in itertools.product(
        VARIANTS.values(), ["compose", "kubernetes"], ["github", "gitlab", "none"]
    )
]
WITHOUT_EXAMPLE = [{**variant, "_example": "false"} for variant in VARIANTS.values()]


def each(rows: list[dict[str, str]]) -> list:
    """Name each set of answers, and run its tests in one process, so that it is baked once."""
    names = ["-".join(f"{key}={ascii(answer)[:12]}" for key, answer in row.items()) for row in rows]
    return [
        pytest.param(row, id=name, marks=pytest.mark.xdist_group(name))
        for row, name in zip(rows, names, strict=True)
    ]


@pytest.mark.parametrize(("answers", "words"), TRACES, ids=str)
def test_what_was_not_chosen_leaves_no_trace(answers, words):
    files = files_of(bake(**answers))

    traces = [
        f"{name}: {word}"
        for name, text in files.items()
        if not name.startswith("vitals/")
        for word in words.split()
        if word in name.lower() or word in text.lower()
    ]

    assert traces == []


@pytest.mark.parametrize("answers", each(COMBINATIONS))
def test_the_engine_has_one_checksum_in_all_projects(answers):
    assert checksum(bake(**answers) / "vitals") == checksum(template() / FOLDER / "vitals")


def checksum(folder: Path) -> str:
    """One sha256 over the names and contents of all files in a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_project_without_the_example_equals_one_that_it_was_removed_from(variant, tmp_path):
    never_there = bake(**VARIANTS[variant], _example="false")
    removed = generate(tmp_path, **VARIANTS[variant])

    done = subprocess.run(
        [sys.executable, "-m", "vitals.ops.project.remove_example"],
        cwd=removed,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert files_of(removed) == files_of(never_there)
    assert json.loads(files_of(removed)[".vitals.json"])["example"] is False


@pytest.mark.parametrize("answers", each(COMBINATIONS + WITHOUT_EXAMPLE + UNUSUAL))
def test_a_fresh_project_is_what_its_own_formatter_and_linter_would_leave(answers):
    project = bake(**answers)

    options = ["--no-cache", "--output-format=concise", "--extend-exclude=vitals"]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *options, "."],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name, text in files_of(project).items() if not is_tidy(text)] == []


def is_tidy(text: str) -> bool:
    """Lines end in LF without blanks before it, and the last one ends."""
    if not text:
        return True
    ends_once = text.endswith("\n") and not text.endswith("\n\n")
    return (
        ends_once and "\r" not in text and all(line == line.rstrip() for line in text.split("\n"))
    )


@pytest.mark.parametrize("answers", each(UNUSUAL))
def test_an_unusual_answer_arrives_as_it_was_given(answers):
    project = bake(**answers)
    files = files_of(project)

    recorded = json.loads(files[".vitals.json"])["answers"]
    assert {question: recorded[question] for question in answers} == answers
    for name, text in files.items():
        if name.endswith(".toml"):
            tomllib.loads(text)
        if name.endswith((".yaml", ".yml")):
            list(yaml.safe_load_all(text))
    assert [
        name
        for name, text in files.items()
        if "jinja:" in text and answers.get("project_name") not in text
    ] == []


@pytest.mark.parametrize("answers", each(COMBINATIONS + WITHOUT_EXAMPLE))
def test_no_template_syntax_is_left(answers):
    files = files_of(bake(**answers))

    left = [
        name
        for name, text in files.items()
        if "# jinja:" in text or ANSWER.search(text) or name.startswith("locks")
    ]

    assert left == []


@pytest.mark.xdist_group("in place")  # the longest test: groups start first
def test_make_check_passes_in_a_fresh_project(tmp_path):
    """The smallest project; README.md's session checks the full one, test_matrix.py the others."""
    answers = {**VARIANTS["plain"], "deploy": "kubernetes", "ci": "none"}
    project = generate(tmp_path / "Über uns", **answers)  # a name that needs quoting
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)

    done = make(project, "check")

    assert done.returncode == 0, done.stdout
    record = json.loads((project / "build" / "check.json").read_text())
    assert record["ok"] is True
    assert record["tree"]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_make_check_passes_without_the_example(tmp_path, variant):
    project = generate(tmp_path, **VARIANTS[variant], _example="false")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)

    done = make(project, "check")

    assert done.returncode == 0, done.stdout
    assert "nothing to test yet" in done.stdout
