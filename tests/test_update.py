"""Does `make update` bring what is new, lose nothing of the user's, and tell every conflict?"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.release.world import append, daemon, run
from tests.upgrades import (
    DELETED,
    EARLIER,
    MOVED,
    NEXT,
    NOW,
    TAKE_IN,
    add_to_lock,
    commit,
    edit,
    files,
    generate,
    packages,
    repository,
    started,
    take_in,
    tools,
)

pytestmark = pytest.mark.slow
PLAIN = {"database": "false", "cache": "false", "deploy": "kubernetes", "ci": "none"}
ODD = {"project_name": "# jinja: if [x]", "project_slug": "class", "description": "~ | %s: 日本"}


@pytest.fixture(autouse=True, scope="module")
def _git_as_a_strangers(tmp_path_factory):
    config = tmp_path_factory.mktemp("git") / "gitconfig"
    config.write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@pytest.fixture
def project(tmp_path) -> Path:
    """A project of NOW, committed as it was generated."""
    shutil.copytree(started(NOW), tmp_path / "orders-api", symlinks=True)
    return tmp_path / "orders-api"


def status(project: Path) -> str:
    return run(project, "git", "status", "--porcelain")


def lines(project: Path) -> set[str]:
    """Every line of every file, but of what git ignores."""
    names = files(project)
    if (project / ".git").exists():
        listed = run(project, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = {name for name in listed.split("\0") if (project / name).is_file()}
    return {line for name in names for line in (project / name).read_text().splitlines()}


def make_own(project: Path) -> None:
    """A user's work that lies beside the template's: a setting, a dependency, a text."""
    edit(
        project / "app" / "settings.py",
        '    host: str = Field("127',
        '    greeting: str = Field("hello", min_length=1, description="what the service says")\n'
        '    host: str = Field("127',
    )
    append(project / "config" / "common.env", "\nAPP_GREETING=hello\n")
    edit(
        project / "pyproject.toml",
        "dependencies = [\n",
        'dependencies = [\n    "text-unidecode>=1.3",\n',
    )
    entry = packages((baking.ROOT / "requirements-generate.txt").read_text())["text-unidecode"]
    for lock in ("requirements.txt", "requirements-dev.txt"):
        add_to_lock(project / lock, entry)
    append(project / "README.md", "\n## Ours\n\nWe greet.\n")
    commit(project, "Greet")


def rename_the_example(project: Path) -> None:
    """A user's work that the template's changes run into: items are orders now."""
    run(project, "git", "mv", "app/items", "app/orders")
    run(project, "git", "mv", "tests/unit/items", "tests/unit/orders")
    for path in (*project.glob("app/**/*.py"), *project.glob("tests/**/*.py")):
        path.write_text(path.read_text().replace("items", "orders"))
    commit(project, "Orders")


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
    """Then `make update` alone is enough, and the check that follows is the new version's."""
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


def test_what_is_the_users_stays_beside_what_is_new(project):
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


def test_a_renamed_example_takes_the_changes_and_tells_each_conflict(project):
    make_own(project)
    rename_the_example(project)
    own = lines(project) - lines(started(NOW))
    before = files(project)

    done = take_in(project, repository())

    assert done.returncode == 1, done.stdout
    told = {line.split("  ")[1]: line for line in done.stdout.splitlines() if line[:2] == "  "}
    unmerged = run(project, "git", "diff", "--name-only", "--diff-filter=U").splitlines()
    assert set(run(project, "git", "diff", "--name-only").splitlines()) == set(unmerged)
    assert (
        {"app/orders/routes.py", MOVED[1].replace("items", "orders")} <= set(unmerged) <= set(told)
    )
    assert told["app/orders/routes.py"].endswith("both changed it")
    assert "and what does a client send?" in (project / "app/orders/models.py").read_text()
    assert own - lines(project) == set()
    assert "Way out: settle each, `git add` it, `make check`, `git commit`" in done.stdout
    assert "checking" not in done.stdout

    run(project, "git", "reset", "--quiet", "--hard")  # as it is told
    assert files(project) == before
    assert status(project) == ""


def test_a_deleted_example_is_not_brought_back_without_a_word(project):
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
    renewed = [sys.executable, "-m", "ops.lock"]
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


def held(tmp_path: Path, project: Path, address: Path) -> subprocess.Popen[str]:
    """Start to take in a version, with a folder of its own for all that is thrown away."""
    (tmp_path / "thrown away").mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", TAKE_IN, str(address), ""],
        cwd=project,
        env=tools(TMPDIR=str(tmp_path / "thrown away"), PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(updating: subprocess.Popen[str], sign: Path) -> None:
    baking.wait_until(lambda: sign.exists() or updating.poll() is not None, within_seconds=100)
    assert sign.exists(), updating.communicate()[0]


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


def test_ctrl_c_before_the_merge_changes_nothing(tmp_path, project):
    slow = tmp_path / "slow"
    shutil.copytree(repository(), slow, symlinks=True)
    (slow / "hooks" / "pre_gen_project.sh").write_text(
        f"#!/bin/sh\ntouch '{tmp_path}/held'; sleep 60\n"
    )
    commit(slow, "Slow")
    run(slow, "git", "tag", "v9.0.0")
    before = files(project)

    with held(tmp_path, project, slow) as updating:
        wait_for(updating, tmp_path / "held")
        os.killpg(updating.pid, signal.SIGINT)
        said = updating.communicate(timeout=60)[0]

    assert updating.returncode == 130, said
    assert (files(project), status(project)) == (before, "")
    assert list((tmp_path / "thrown away").iterdir()) == []


def test_ctrl_c_in_the_merge_lets_it_end_and_tells_the_way_back(tmp_path, project):
    waits = f"touch '{tmp_path}/held'; while [ ! -e '{tmp_path}/go' ]; do sleep 0.05; done; cat"
    run(project, "git", "config", "filter.slow.smudge", waits)
    (project / ".git" / "info" / "attributes").write_text("app/items/routes.py filter=slow\n")
    before = files(project)

    with held(tmp_path, project, repository()) as updating:
        wait_for(updating, tmp_path / "held")
        os.killpg(updating.pid, signal.SIGINT)
        (tmp_path / "go").touch()
        said = updating.communicate(timeout=60)[0]

    assert updating.returncode == 0, said
    assert "merging: one moment" in said
    assert "nothing was committed. `git reset --hard` goes back" in said
    assert files(project) == files(generate(NEXT))
    run(project, "git", "reset", "--quiet", "--hard")
    assert files(project) == before


def no_repository(project: Path) -> None:
    shutil.rmtree(project / ".git")


def no_commit(project: Path) -> None:
    no_repository(project)
    run(project, "git", "init", "--quiet")


def uncommitted(project: Path) -> None:
    append(project / "README.md", "More.\n")


def merging(project: Path) -> None:
    run(project, "git", "switch", "--quiet", "--create", "side")
    run(project, "git", "commit", "--quiet", "--no-verify", "--allow-empty", "--message=Side")
    run(project, "git", "switch", "--quiet", "main")
    run(project, "git", "merge", "--quiet", "--no-ff", "--no-commit", "side")


def in_the_way(project: Path) -> None:
    (project / MOVED[1]).write_text("mine\n")


def record(**changed: str):
    def change(project: Path) -> None:
        path = project / ".vitals.json"
        text = path.read_text(encoding="utf-8")
        path.write_text(json.dumps(json.loads(text) | changed, indent=2), encoding="utf-8")
        commit(project, "Record")

    return change


def no_record(project: Path) -> None:
    (project / ".vitals.json").write_text("{}\n")
    commit(project, "No record")


def another_answer(project: Path) -> None:
    edit(project / ".vitals.json", '"ci": "github"', '"ci": "jenkins"')
    commit(project, "Another answer")


def nothing(_: Path) -> None: ...


THERE = "there"
REFUSED = [
    (no_repository, THERE, "", "no git repository of its own here. Way out: `git init -b main`"),
    (no_commit, THERE, "", "no commit yet. Way out: `git add --all && git commit`"),
    (uncommitted, THERE, "", "1 files with uncommitted changes; expected none, so that"),
    (merging, THERE, "", "a merge in progress; expected none. Way out: finish it, or `git merge"),
    (in_the_way, THERE, "", f"files in the way that git does not know: {MOVED[1]}; expected"),
    (no_record, THERE, "", ".vitals.json is no record (KeyError('template'))"),
    (another_answer, THERE, "", "ci='jenkins' is no answer any more; expected the recorded"),
    (
        nothing,
        "",
        "",
        "no template in .vitals.json; expected its address or folder. Way out: `make",
    ),
    (nothing, "--upload-pack=x", "", "TEMPLATE=--upload-pack=x; expected its address or folder"),
    (nothing, "../nowhere", "", "../nowhere refused; expected its branches and tags, without a"),
    (nothing, "../unreleased", "", "no version of ../unreleased; expected a tag such as v1.2.0"),
    (nothing, THERE, "v7.0.0", f"expected one of {NEXT}, {NOW}"),
    (record(commit="f" * 40, version="v7.0.0"), THERE, "", "made from an unknown version: v7.0.0"),
    (record(commit="", version=""), THERE, "", "made from an unknown version: none is recorded"),
    (record(commit="", version=NEXT), THERE, NOW, f"VERSION={NOW}; expected one after {NEXT}"),
]


@pytest.mark.parametrize(("prepare", "address", "version", "told"), REFUSED)
def test_a_refusal_says_why_in_one_line_and_nothing_is_changed(
    project, prepare, address, version, told
):
    run(project.parent, "git", "init", "--quiet", "unreleased")
    prepare(project)
    git = run(project, "git", "status", "--porcelain") if (project / ".git").exists() else ""
    before = files(project)

    done = take_in(project, repository() if address == THERE else address, version)

    assert done.returncode == 1, done.stdout
    refusal = done.stdout.splitlines()[-1]
    assert told in refusal
    assert "Way out: " in refusal
    assert refusal.endswith("Nothing was changed; safe to retry")
    assert files(project) == before
    assert not (project / ".git").exists() or status(project) == git


@pytest.mark.parametrize(
    ("version", "told"), [("", f"already {NEXT}, the newest"), (NEXT, f"already {NEXT}")]
)
def test_the_newest_version_is_no_failure(tmp_path, version, told):
    project = shutil.copytree(started(NEXT), tmp_path / "project")

    done = take_in(project, repository(), version)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, told)
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
