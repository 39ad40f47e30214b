"""`make update SET=…`: the project that the new answers generate, with the team's edits."""

import itertools
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.baking import bake, make
from tests.release.world import append, run
from tests.test_variants import COMBINATIONS
from tests.update.versions import (
    NEXT,
    NOW,
    commit,
    edit,
    files,
    generate,
    repository,
    started,
    status,
    take_in,
)
from tests.update.work import make_own
from vitals.ops.project import template, update
from vitals.ops.run import git, shell

PLAIN = {"database": "false", "cache": "false", "deploy": "kubernetes", "ci": "none"}


def words(answers: dict[str, str]) -> str:
    return " ".join("=".join(pair) for pair in answers.items())


def make_three_kinds_of_edits(project: Path) -> None:
    """Lines in files of the template, files of the team's own, and a file moved and rewritten."""
    make_own(project)
    (project / "app" / "coffee").mkdir()
    (project / "app" / "coffee" / "__init__.py").write_text('"""Coffee."""\n')
    (project / "docs" / "coffee.md").write_text("# Coffee\n")
    run(project, "git", "mv", "docs/call-another-service.md", "docs/another.md")
    append(project / "docs" / "another.md", "\nWe call the roaster.\n")
    edit(project / "config" / "production.env", "=production.internal\n", "=orders.internal\n")
    commit(project, "Coffee")


@pytest.fixture(scope="module")
def combinations(tmp_path_factory):
    """One repository with each combination as it is generated, and with the team's edits."""
    root = tmp_path_factory.mktemp("answers") / "project"
    root.mkdir()
    run(root, "git", "init", "--quiet", "--initial-branch=main")
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell, "ROOT", root)
        for answers in COMBINATIONS:
            fresh = template.commit_of(bake(**answers), "Fresh")
            run(root, "git", "reset", "--quiet", "--hard", fresh)
            make_three_kinds_of_edits(root)
            edited = git.head()
            found.append(SimpleNamespace(answers=answers, fresh=fresh, edited=edited))
        yield found


def test_each_answer_changes_to_each_other_without_a_conflict_and_without_a_lost_edit(
    combinations,
):
    unequal = []
    for before, after in itertools.permutations(combinations, 2):
        run(shell.ROOT, "git", "reset", "--quiet", "--hard", before.edited)
        tree = f"{after.fresh}^{{tree}}"
        change = git.git("commit-tree", "-m", "Change", "-p", before.fresh, tree)

        conflicts = update.settle_manifest(update.merge(change))

        expected = git.git("rev-parse", f"{after.edited}^{{tree}}")
        if conflicts or git.git("write-tree") != expected:
            differ = git.git("diff", "--cached", "--name-only", after.edited)
            unequal.append((before.answers, after.answers, conflicts, differ.split()))

    assert unequal == [], f"{len(unequal)} of {len(combinations) ** 2 - len(combinations)}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, PLAIN),
        (PLAIN, {"database": "true", "cache": "true"}),
        (
            {},
            {"project_name": "Coffee API", "project_slug": "coffee", "description": "It costs $5"},
        ),
    ],
)
def test_an_update_with_answers_equals_a_fresh_project_with_them(tmp_path, before, after):
    project = shutil.copytree(started(NOW, **before), tmp_path / "project")
    quoted = " ".join(f"{question}={answer!r}" for question, answer in after.items())

    done = take_in(project, repository(), answers=quoted)

    assert done.returncode == 0, done.stdout
    assert files(project) == files(generate(NOW, **{**before, **after}))


def test_answers_and_a_newer_version_come_in_one_update(project):
    done = take_in(project, repository(), NEXT, "cache=false region=us")

    assert done.returncode == 0, done.stdout
    assert files(project) == files(generate(NEXT, cache="false", region="us"))
    assert "a new question" not in done.stdout


def test_a_project_without_its_example_stays_without(project):
    fresh = generate(NOW, database="false")
    for each in (project, fresh):
        remove = [sys.executable, "-B", "-m", "vitals.ops.project.remove_example"]
        run(each, *remove)
    commit(project, "No example")

    done = take_in(project, repository(), answers="database=false")

    assert done.returncode == 0, done.stdout
    assert files(project) == files(fresh)
    assert json.loads((project / ".vitals.json").read_text())["example"] is False


def test_settings_and_data_that_go_are_named_before_the_merge(project):
    done = take_in(project, repository(), answers="database=false cache=true")

    before, merged, _ = done.stdout.partition("merged: ")
    assert merged
    assert "settings that go: APP_DATABASE_POOL_SIZE, APP_DATABASE_URL, APP_SLOW_QUERY" in before
    assert "data: the database keeps its tables and local.db its rows" in before
    assert "data: the cache" not in before  # it was there and stays


def test_answers_that_are_recorded_change_nothing(project):
    done = take_in(project, repository(), answers="cache=true ci=github")

    assert (done.returncode, status(project)) == (0, "")
    assert done.stdout == "these answers are recorded already\n"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ("cache", "SET: 'cache'; expected question=answer, each question once"),
        ("=true", "SET: '=true'; expected question=answer"),
        ("cache=true cache=false", "SET: 'cache'; expected question=answer, each question once"),
        ("cache='true", 'SET: "cache=\'true"; expected closed quotes'),
        ("cahce=true", "expected a question among project_name, project_slug, description, owner,"),
        ("_example=false", "SET: '_example'; expected a question among"),
        ("cache=maybe", "SET: 'cache=maybe'; expected one of true, false"),
        ("deploy=Kubernetes", "SET: 'deploy=Kubernetes'; expected one of compose, kubernetes"),
        ("project_slug=../x", "project_slug: got '../x'; expected 3 to 40 lower-case letters"),
        ("owner='{{ 7 * 7 }}'", "owner: got '{{ 7 * 7 }}'; expected a team"),
    ],
)
def test_a_bad_answer_is_refused_by_name_before_anything_is_generated(project, answers, reason):
    before = files(project)

    done = take_in(project, repository(), answers=answers)

    assert done.returncode == 1, done.stdout
    assert reason in done.stdout
    assert done.stdout.splitlines()[-1].endswith("Nothing was changed; safe to retry")
    assert files(project) == before
    assert status(project) == ""


CHECKED = [
    ({}, PLAIN),
    (PLAIN, {"database": "true", "cache": "true", "deploy": "compose", "ci": "github"}),
    ({"cache": "false"}, {"cache": "true", "ci": "gitlab"}),
]
MORE_CHECKED = [  # equal to fresh projects, as seen above, and those pass in tests/test_matrix.py
    ({}, {"database": "false"}),
    ({"database": "false"}, {"database": "true", "cache": "false"}),
    ({"ci": "gitlab"}, {"cache": "false", "deploy": "kubernetes"}),
    ({"deploy": "kubernetes"}, {"deploy": "compose", "ci": "none"}),
    ({"database": "false", "ci": "none"}, {"cache": "false", "ci": "github"}),
]


@pytest.mark.parametrize(
    ("before", "after"),
    [*CHECKED, *(pytest.param(*pair, marks=pytest.mark.long) for pair in MORE_CHECKED)],
)
def test_the_updated_project_passes_its_checks(tmp_path, before, after):
    project = shutil.copytree(started(NOW, **before), tmp_path / "project")
    make_three_kinds_of_edits(project)

    done = make(
        project, "update", f"SET={words(after)}", f"TEMPLATE={repository()}", within_seconds=580
    )

    assert done.returncode == 0, done.stdout
    assert "all steps passed" in done.stdout
