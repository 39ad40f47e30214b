"""Is every project that can be generated whole, clean, and free of what was not chosen?"""

import itertools
import json
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.answers import UNUSUAL
from tests.baking import VARIANTS, bake, files_of, generate, make

# Words that an answer takes away. `github` alone may stay: the security checks read workflows.
DATABASE = "sqlalchemy alembic asyncpg psycopg aiosqlite postgres sqlite app_database_"
CACHE = "cashews redis valkey app_cache_"
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


def each(rows: list[dict[str, str]]) -> list:
    """Name each set of answers, and keep its tests in one process, so that it is baked once."""
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
        for word in words.split()
        if word in name.lower() or word in text.lower()
    ]

    assert traces == []


@pytest.mark.parametrize("answers", each(COMBINATIONS + UNUSUAL))
def test_a_fresh_project_is_what_its_own_formatter_and_linter_would_leave(answers):
    project = bake(**answers)

    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--output-format=concise", "."],
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

    kept = json.loads(files[".vitals.json"])["answers"]
    assert {question: kept[question] for question in answers} == answers
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


@pytest.mark.parametrize("answers", each(COMBINATIONS))
def test_nothing_of_the_template_is_left(answers):
    files = files_of(bake(**answers))

    left = [
        name
        for name, text in files.items()
        if "# jinja:" in text or "cookiecutter." in text or name.startswith("locks")
    ]

    assert left == []


def test_make_check_passes_in_a_fresh_project(tmp_path):
    """The smallest one; README.md's session checks the full one, test_matrix.py the others."""
    answers = {**VARIANTS["plain"], "deploy": "kubernetes", "ci": "none"}
    project = generate(tmp_path / "Über uns", **answers)  # a name that needs quoting
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)

    done = make(project, "check")

    assert done.returncode == 0, done.stdout
    record = json.loads((project / "build" / "check.json").read_text())
    assert record["ok"] is True
    assert record["tree"]
