"""Addresses and folders that a project can be generated from, and `make update` after that."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.baking import environment
from tests.release.world import run
from tests.update.versions import (
    NEXT,
    NOW,
    commit,
    files,
    generate,
    repository,
    started,
    take_in,
)

SSH = """#!/bin/sh
shift
exec sh -c "$*"
"""
ADDRESSES = [
    ("gh:team/vitals", "https://github.com/team/vitals.git"),
    ("git+https://git.example/team/vitals", "https://git.example/team/vitals"),
    ("https://me:secret@git.example/team/vitals", "https://git.example/team/vitals"),  # private
    ("https://git.example/fork/vitals.git", "https://git.example/fork/vitals.git"),
    ("ssh://git@git.example{folder}", "ssh://git@git.example{folder}"),
    ("git@git.example:{folder}", "git@git.example:{folder}"),
]


@pytest.fixture
def remotes(monkeypatch, tmp_path):
    """Hosts that are this machine: by insteadOf, and by an ssh that runs the command here."""
    hosts = {
        "team": ("github.com", "git.example", "me:secret@git.example"),
        "fork": ("git.example",),
    }
    for owner, names in hosts.items():
        folder = tmp_path / owner
        run(tmp_path, "git", "clone", "--quiet", "--bare", repository(), folder / "vitals.git")
        (folder / "vitals").symlink_to("vitals.git")
        for name in names:
            key = f"url.{folder}/.insteadOf"
            run(tmp_path, "git", "config", "--global", "--add", key, f"https://{name}/{owner}/")
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(tmp_path / "ssh"))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")


@pytest.mark.parametrize(("given", "recorded"), ADDRESSES, ids=[row[0][:12] for row in ADDRESSES])
@pytest.mark.usefixtures("remotes")
def test_an_address_is_recorded_so_that_make_update_can_fetch_it(tmp_path, given, recorded):
    given, recorded = (address.format(folder=repository()) for address in (given, recorded))
    project = shutil.copytree(started(NOW, given), tmp_path / "project", symlinks=True)

    done = take_in(project, "")

    record = json.loads((project / ".vitals.json").read_text())
    assert done.returncode == 0, done.stdout
    assert (record["template"], record["version"]) == (recorded, NEXT)
    assert files(project) == files(generate(NEXT, given))
    assert "secret" not in (project / ".vitals.json").read_text()


def cloned(folder: Path) -> Path:
    run(folder, "git", "clone", "--quiet", f"--branch={NOW}", repository(), "vitals")
    return folder / "vitals"


def packed(folder: Path) -> Path:
    home = cloned(folder)
    run(home, "git", "gc", "--quiet")
    return home


def with_loose_tags(folder: Path) -> Path:
    run(folder, "git", "clone", "--quiet", "--no-tags", repository(), "vitals")
    run(folder / "vitals", "git", "fetch", "--quiet", "--tags")
    run(folder / "vitals", "git", "switch", "--quiet", "--detach", NOW)
    return folder / "vitals"


def worktree(folder: Path) -> Path:
    run(cloned(folder), "git", "worktree", "add", "--quiet", "../tree", NOW)
    return folder / "tree"


def shallow(folder: Path) -> Path:
    source, options = f"file://{repository()}", ["--quiet", "--depth=1", f"--branch={NOW}"]
    run(folder, "git", "clone", *options, source, "vitals")
    return folder / "vitals"


def archive(folder: Path) -> Path:
    made = ["git", "archive", "--format=zip", "--prefix=vitals/", f"--output={folder}/vitals.zip"]
    run(repository(), *made, NOW)
    return folder / "vitals.zip"


def cookiecutter(folder: Path, home: Path) -> dict:
    """Generate from a home, and read what was recorded of it."""
    config = folder / "config.json"
    config.write_text(json.dumps({"replay_dir": str(folder), "cookiecutters_dir": str(folder)}))
    command = [sys.executable, "-m", "cookiecutter", home, "--no-input", "--config-file", config]
    run(folder, *command)
    return json.loads((folder / "orders-api" / ".vitals.json").read_text())


@pytest.mark.parametrize("home", [cloned, packed, with_loose_tags, worktree, shallow, archive])
def test_the_commit_and_version_of_a_home_are_recorded_whatever_its_kind(tmp_path, home):
    record = cookiecutter(tmp_path, home(tmp_path))

    head = run(repository(), "git", "rev-parse", f"{NOW}^{{commit}}")
    assert (record["template"], record["version"], record["commit"]) == ("", NOW, head)


def test_a_home_without_its_own_history_records_none_of_another_repository(tmp_path):
    home = cloned(tmp_path)
    shutil.rmtree(home / ".git")
    run(tmp_path, "git", "init", "--quiet")
    commit(tmp_path, "Vendored")
    run(tmp_path, "git", "tag", "v3.0.0")

    record = cookiecutter(tmp_path, home)

    assert (record["template"], record["version"], record["commit"]) == ("", "", "")


def test_a_project_from_a_zip_says_that_it_needs_the_address_and_is_updated_with_it(tmp_path):
    cookiecutter(tmp_path, archive(tmp_path))
    project = tmp_path / "orders-api"
    run(project, "git", "init", "--quiet")
    commit(project, "Start")

    without, done = take_in(project, ""), take_in(project, repository())

    assert without.returncode == 1
    assert "expected its git address or folder. Fix: `make update TEMPLATE=<git" in without.stdout
    assert done.returncode == 0, done.stdout
    assert files(project) == files(generate(NEXT))


def test_a_machine_without_git_generates_from_a_folder(tmp_path):
    home = cloned(tmp_path)
    (tmp_path / "bin").mkdir()
    command = [sys.executable, "-m", "cookiecutter", home, "--no-input", "--default-config"]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(PATH=str(tmp_path / "bin"), HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "orders-api" / ".vitals.json").read_text())
    assert (record["version"], record["commit"]) == ("", "")
