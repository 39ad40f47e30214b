"""`make update`: brings the new version, loses nothing of the team's, names each conflict."""

import json
import shutil
import subprocess
import sys

import pytest

from tests import baking
from tests.release.world import daemon, run
from tests.update.versions import (
    DELETED,
    EARLIER,
    MOVED,
    NEXT,
    NOW,
    add_to_lock,
    commit,
    edit,
    files,
    generate,
    packages,
    repository,
    started,
    status,
    take_in,
    tools,
)
from tests.update.work import lines, make_own, rename_the_example

PLAIN = {"database": "false", "cache": "false", "deploy": "kubernetes", "ci": "none"}
ODD = {"project_name": "# jinja: if [x]", "project_slug": "class", "description": "~ | %s: 日本"}


@pytest.mark.parametrize(
    ("before", "after", "answers"),
    [*((tag, NOW, {}) for tag in EARLIER), (NOW, NEXT, {}), (NOW, NEXT, PLAIN), (NOW, NEXT, ODD)],
)
def test_without_edits_a_project_becomes_what_is_generated_fresh(tmp_path, before, after, answers):
    project = shutil.copytree(started(before, **answers), tmp_path / "project")

    done = take_in(project, repository(), after)

    assert done.returncode == 0, done.stdout
    fresh = generate(after, **answers)
    assert files(project) == files(fresh)
    assert run(project, "git", "diff") == ""  # all of it is in the index, what was added too
    assert [line for line in lines(project) if str(tmp_path.parents[1]) in line] == []
    assert status(started(before, **answers)) == ""


def test_from_an_address_it_needs_no_more_than_the_command(tmp_path):
    """Then `make update` alone is enough, and it runs the check of the new version."""
    with daemon(repository().parent) as address:
        url = f"{address}/vitals"
        project = shutil.copytree(started(NOW, url), tmp_path / "Über uns", symlinks=True)
        make_own(project)
        own = lines(project)

        done = baking.make(project, "update", within_seconds=540)

        record = json.loads((project / ".vitals.json").read_text())
        assert done.returncode == 0, done.stdout
        assert (record["template"], record["version"]) == (url, NEXT)
        fresh = generate(NEXT, url)
        assert (project / ".vitals.json").read_bytes() == (fresh / ".vitals.json").read_bytes()
    assert "all steps passed" in done.stdout
    assert "a new question, region: 'eu' is its default" in done.stdout
    assert own - lines(project) <= lines(started(NOW, url))
    assert json.loads((project / "build" / "check.json").read_text())["ok"] is True


def test_another_version_of_postgresql_is_said_with_the_page_that_moves_the_data(project):
    done = take_in(project, repository())

    there = "deploy/compose.md, `Another version of PostgreSQL`"
    assert f"data: PostgreSQL 18 becomes 19: {there}" in done.stdout
    assert there.split("`")[1] in (project / "deploy" / "compose.md").read_text()


def test_the_check_of_the_merged_tree_says_it_where_the_updates_own_code_is_too_old(project):
    run(project, "git", "tag", "--annotate", "--message=v0.1.0", "v0.1.0")

    take_in(project, repository())

    said = run(project, sys.executable, "-m", "vitals.ops.check.schema")
    assert said.startswith("no migration since v0.1.0; PostgreSQL 18 becomes 19: deploy/compose.md")


def test_own_changes_stay_next_to_new_ones(project):
    fresh = generate(NEXT)
    make_own(project)
    own = lines(project) - lines(started(NOW))
    (project / "notes.txt").write_text("not known to git\n")

    done = take_in(project, repository())

    assert done.returncode == 0, done.stdout
    assert len(own) >= 8
    assert own - lines(project) == set()
    assert lines(fresh) - lines(project) == set()
    assert (project / "notes.txt").exists()
    assert not (project / DELETED).exists()
    assert (project / MOVED[1]).exists()


def test_a_renamed_example_takes_the_changes_and_each_conflict_is_listed(project):
    make_own(project)
    rename_the_example(project)
    own = lines(project) - lines(started(NOW))
    before = files(project)

    done = take_in(project, repository())

    assert done.returncode == 1, done.stdout
    listed = {line.split("  ")[1]: line for line in done.stdout.splitlines() if line[:2] == "  "}
    unmerged = run(project, "git", "diff", "--name-only", "--diff-filter=U").splitlines()
    assert set(run(project, "git", "diff", "--name-only").splitlines()) == set(unmerged)
    assert (
        {"app/orders/routes.py", MOVED[1].replace("items", "orders")}
        <= set(unmerged)
        <= set(listed)
    )
    assert listed["app/orders/routes.py"].endswith("both changed it")
    assert "(1 << 63) - 1" in (project / "app/orders/models.py").read_text()
    assert own - lines(project) == set()
    assert "Fix: settle each, `git add` it, `make check`, `git commit`" in done.stdout
    assert "checking" not in done.stdout

    run(project, "git", "reset", "--quiet", "--hard")  # as the output says
    assert files(project) == before
    assert status(project) == ""


def test_a_deleted_example_does_not_come_back_silently(project):
    run(project, "git", "rm", "-r", "--quiet", "app/items", "tests/unit/items")
    commit(project, "No items")

    done = take_in(project, repository())

    assert done.returncode == 1, done.stdout
    conflicts = [line for line in done.stdout.splitlines() if "you deleted it" in line]
    assert [line.split()[0] for line in conflicts] == [
        "app/items/models.py",
        "app/items/routes.py",
        MOVED[1],
    ]


def test_locks_that_both_sides_changed_are_written_anew(project):
    """A real `make lock` on both sides: `wcwidth` comes right after `watchfiles`."""
    edit(
        project / "pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "wcwidth>=0.2",\n'
    )
    renewed = [sys.executable, "-m", "vitals.ops.project.lock"]
    subprocess.run(renewed, cwd=project, env=tools(), check=True, stdout=subprocess.DEVNULL)
    commit(project, "Measure text")
    mine = packages((project / "requirements.txt").read_text())["wcwidth"]

    done = take_in(project, repository())

    assert done.returncode == 0, done.stdout
    assert "requirements.txt: both changed, so they are written anew" in done.stdout
    merged = packages((project / "requirements.txt").read_text())
    assert merged["wcwidth"] == mine
    assert "watchfiles" in merged
    assert set(merged) == {*packages((generate(NEXT) / "requirements.txt").read_text()), "wcwidth"}
    assert run(project, "git", "diff", "--name-only", "--diff-filter=U") == ""


def test_locks_that_cannot_be_written_anew_are_conflicts(project):
    """No version fits; the present lock can still be installed, so that `make lock` can run."""
    edit(project / "pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "wcwidth>=99",\n')
    add_to_lock(project / "requirements.txt", f"wcwidth==0.2.13 \\\n    --hash=sha256:{'0' * 64}")
    commit(project, "Measure text")

    done = take_in(project, repository())

    assert done.returncode == 1, done.stdout
    assert "  requirements.txt  both changed it; `make lock` writes it anew\n" in done.stdout
    lock = (project / "requirements.txt").read_text()
    assert {"wcwidth", "watchfiles"} <= {*packages(lock)}
    assert "<<<<<<<" not in lock


@pytest.mark.parametrize("given", ["../vitals", "vitals"])
def test_a_project_knows_what_it_was_made_from_however_its_template_was_named(tmp_path, given):
    run(tmp_path, "git", "clone", "--quiet", repository(), "vitals")
    (tmp_path / "in").mkdir()
    folder = tmp_path / ("in" if given == "../vitals" else "")
    config = tmp_path / "config.yaml"
    config.write_text(f"replay_dir: {tmp_path / 'replay'}\n")

    command = ("-m", "cookiecutter", given, "--no-input", "--config-file", config)
    run(folder, sys.executable, *command)

    recorded = json.loads((folder / "orders-api" / ".vitals.json").read_text())
    head = run(repository(), "git", "rev-parse", "HEAD")
    assert (recorded["template"], recorded["version"], recorded["commit"]) == ("", NEXT, head)


@pytest.mark.parametrize(
    ("version", "message"), [("", f"already {NEXT}, the newest"), (NEXT, f"already {NEXT}")]
)
def test_the_newest_version_is_no_failure(tmp_path, version, message):
    project = shutil.copytree(started(NEXT), tmp_path / "project")

    done = take_in(project, repository(), version)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, message)
    assert status(project) == ""


def test_a_project_of_a_commit_between_two_versions_is_updated_from_that_commit(tmp_path):
    template = shutil.copytree(repository(), tmp_path / "vitals", symlinks=True)
    run(template, "git", "switch", "--quiet", "--detach", NOW)
    edit(template / "{{cookiecutter.project_slug}}" / "README.md", "## Run it", "## Run it here")
    commit(template, "Between")
    run(template, "git", "branch", "between")
    project = generate("between", str(template))
    run(project, "git", "init", "--quiet")
    commit(project, "Start")
    recorded = json.loads((project / ".vitals.json").read_text())

    done = take_in(project, template, NEXT)

    assert recorded["version"] == ""
    assert recorded["commit"] == run(template, "git", "rev-parse", "between")
    assert done.returncode == 0, done.stdout
    assert files(project) == files(generate(NEXT))
