"""Ctrl-C during `make update`: the tree is unchanged, or the output says how to go back."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.release.world import run
from tests.update.versions import (
    NEXT,
    NOW,
    TAKE_IN,
    commit,
    files,
    generate,
    repository,
    started,
    status,
    tools,
)


def held(tmp_path: Path, project: Path, address: Path) -> subprocess.Popen[str]:
    """Start an update with its own folder for temporary files."""
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


@pytest.fixture
def merging_slowly(tmp_path, project):
    """An update that waits in the middle of the merge until the file `go` exists."""
    waits = f"touch '{tmp_path}/held'; while [ ! -e '{tmp_path}/go' ]; do sleep 0.05; done; cat"
    run(project, "git", "config", "filter.slow.smudge", waits)
    (project / ".git" / "info" / "attributes").write_text("app/items/routes.py filter=slow\n")
    with held(tmp_path, project, repository()) as updating:
        try:
            wait_for(updating, tmp_path / "held")
            os.killpg(updating.pid, signal.SIGINT)
            yield updating
        finally:
            (tmp_path / "go").touch()


def test_ctrl_c_during_the_merge_lets_it_end_and_says_how_to_go_back(
    tmp_path, project, merging_slowly
):
    before = files(started(NOW))

    (tmp_path / "go").touch()
    said = merging_slowly.communicate(timeout=60)[0]

    assert merging_slowly.returncode == 0, said
    assert "merging: one moment" in said
    assert "nothing was committed. `git reset --hard` goes back" in said
    assert files(project) == files(generate(NEXT))
    run(project, "git", "reset", "--quiet", "--hard")
    assert files(project) == before


def test_a_second_ctrl_c_during_the_merge_stops_it_and_says_how_to_go_back(project, merging_slowly):
    while b"one moment" not in os.read(merging_slowly.stdout.fileno(), 1000):
        assert merging_slowly.poll() is None
    os.killpg(merging_slowly.pid, signal.SIGINT)
    said = merging_slowly.communicate(timeout=60)[0]

    assert merging_slowly.returncode == 1, said
    assert "given up half-way through the merge. Fix: `git reset --hard` goes back" in said
    run(project, "git", "config", "--unset", "filter.slow.smudge")
    run(project, "git", "reset", "--quiet", "--hard")
    left = {line.removeprefix("?? ") for line in status(project).splitlines()}
    assert {name for name in files(project) if name not in left} == {*files(started(NOW))}
