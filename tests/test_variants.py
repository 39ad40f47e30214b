"""Is every project that can be generated whole, clean, and free of what was not chosen?"""

import itertools
import json
import runpy
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.baking import IN_PLACE, ROOT, VARIANTS, bake, files_of, generate, make

HOOK = runpy.run_path(str(ROOT / "hooks" / "post_gen_project.py"))
TRACES = {
    "database": (
        "sqlalchemy",
        "alembic",
        "asyncpg",
        "psycopg",
        "aiosqlite",
        "postgres",
        "sqlite",
        "app_database_",
    ),
    "cache": ("cashews", "redis", "valkey", "app_cache_"),
}
COMBINATIONS = [
    {**variant, "deploy": deploy, "ci": ci}
    for variant, deploy, ci in itertools.product(
        VARIANTS.values(), ["compose", "kubernetes"], ["github", "gitlab", "none"]
    )
]
UNUSUAL = [
    {"project_name": "x" * 60, "project_slug": "x" * 40, "description": "word " * 23 + "words"},
    {"project_name": "Abc", "description": "."},
    {"project_name": "日本語", "description": "Où l\u2019on range les commandes \u2013 à 100 % ✓"},
    {"project_name": "$(touch executed) <b>&amp; %s", "project_slug": "not", "owner": "@a/b"},
    {
        "project_name": "# jinja: if [x]",
        "project_slug": "class",
        "description": "$PATH: ~ | # - !x",
    },
]


def named(answers: dict[str, str]) -> str:
    return "-".join(f"{question}={ascii(answer)[:12]}" for question, answer in answers.items())


@pytest.mark.parametrize(
    ("variant", "question"),
    [(v, q) for v, answers in VARIANTS.items() for q, a in answers.items() if a == "false"],
)
def test_what_was_not_chosen_leaves_no_trace(variant, question):
    files = files_of(bake(**VARIANTS[variant]))

    traces = [
        f"{name}: {word}"
        for name, text in files.items()
        for word in TRACES[question]
        if word in name.lower() or word in text.lower()
    ]

    assert traces == []


@pytest.mark.parametrize("answers", COMBINATIONS + UNUSUAL, ids=named)
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


@pytest.mark.parametrize("answers", UNUSUAL, ids=named)
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


@pytest.mark.parametrize("answers", COMBINATIONS, ids=named)
def test_nothing_of_the_template_is_left(answers):
    files = files_of(bake(**answers))

    left = [
        name
        for name, text in files.items()
        if "# jinja:" in text or "cookiecutter." in text or name.startswith("locks")
    ]

    assert left == []


def test_every_path_that_the_hook_removes_exists():
    paths = {
        path
        for by_answer in HOOK["REMOVED"].values()
        for removed in by_answer.values()
        for path in removed
    }

    assert [path for path in sorted(paths) if not (IN_PLACE / path).exists()] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_locks_of_the_variant_are_the_projects_locks(variant):
    project = bake(**VARIANTS[variant])
    locks = IN_PLACE / "locks" / variant

    assert sorted(path.name for path in locks.iterdir()) == [
        "requirements-dev.txt",
        "requirements-services.txt",
        "requirements.txt",
    ]
    for lock in locks.iterdir():
        assert (project / lock.name).read_bytes() == lock.read_bytes()


def test_the_template_lints_with_the_ruff_that_projects_lint_with():
    pins = [
        next(line for line in lock.read_text().splitlines() if line.startswith("ruff=="))
        for lock in (ROOT / "requirements.txt", IN_PLACE / "requirements-dev.txt")
    ]

    assert pins[0] == pins[1]


def test_the_folder_in_place_holds_the_locks_of_the_full_variant():
    for lock in (IN_PLACE / "locks" / "full").iterdir():
        assert (IN_PLACE / lock.name).read_bytes() == lock.read_bytes()


def test_a_path_is_never_kept_as_the_templates_address():
    kept = json.loads(files_of(bake())[".vitals.json"])

    assert (kept["template"], kept["version"]) == ("", "")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://user:secret@host.example/vitals.git", "https://host.example/vitals.git"),
        ("ssh://git:secret@host.example/vitals", "ssh://git@host.example/vitals"),
        ("git@host.example:team/vitals.git", "git@host.example:team/vitals.git"),
        ("gh:team/vitals", "gh:team/vitals"),
        ("/home/me/vitals", ""),
        ("../vitals", ""),
        ("file:///home/me/vitals", ""),
        ("git+file:///home/me/vitals", ""),
    ],
)
def test_the_templates_address_is_kept_without_credentials(given, kept):
    template_url = runpy.run_path(str(ROOT / "local_extensions.py"))["template_url"]

    assert template_url(given) == kept


CHECKED = [  # the fast tests also check the full variant: it is README.md's session
    pytest.param("plain", {"deploy": "kubernetes", "ci": "none"}),
    pytest.param("full", {"deploy": "kubernetes", "ci": "gitlab"}, marks=pytest.mark.slow),
    pytest.param("database", {"deploy": "compose", "ci": "none"}, marks=pytest.mark.slow),
    pytest.param("cache", {"deploy": "kubernetes", "ci": "github"}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("variant", "others"), CHECKED)
def test_make_check_passes_in_a_fresh_project(tmp_path, variant, others):
    """In a folder whose name needs quoting, and on the real services that the project brings."""
    project = generate(tmp_path / "Über uns", **VARIANTS[variant], **others)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)

    done = make(project, "check")

    assert done.returncode == 0, done.stdout
    record = json.loads((project / "build" / "check.json").read_text())
    assert record["ok"] is True
    assert record["tree"]
