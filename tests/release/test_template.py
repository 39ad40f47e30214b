"""The template's own release, by the very script that it generates."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.release.world import RECORD, World, append, run


@pytest.fixture
def itself(world: World) -> World:
    """The template in the place of a project."""
    world.git("rm", "--quiet", "-r", ".")
    for name in baking.template_files():
        (world.project / name).parent.mkdir(parents=True, exist_ok=True)
        (world.project / name).write_bytes((baking.ROOT / name).read_bytes())
    world.git("tag", "--delete", "v0.1.0")
    world.git("push", "--quiet", "origin", ":v0.1.0")
    shipped(world)
    return world


def shipped(world: World) -> None:
    world.commit()
    world.git("push", "--quiet")
    world.passed()
    (world.project / "build" / "rehearsal.json").unlink()


def ship(project: Path, command: str, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "ship.py", command],
        cwd=project,
        env=baking.environment(**given),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_template_is_released_with_records_of_its_own_and_no_rehearsal(itself: World) -> None:
    first = ship(itself.project, "release", LEVEL="minor", YES="1")
    assert first.returncode == 0, first.stdout
    assert "cookiecutter ADDRESS --checkout v0.1.0" in first.stdout

    append(itself.project / baking.FOLDER / "vitals" / "problems.py", "# changed\n")
    refused = ship(itself.project, "notes")
    assert refused.returncode == 1
    assert f"{baking.FOLDER}/vitals/problems.py: changed since the last record" in refused.stdout
    assert ship(itself.project, "change", TITLE="Answer in one line").returncode == 0
    (itself.project / "changes" / "0001-answer-in-one-line.toml").write_text(RECORD)
    shipped(itself)
    second = ship(itself.project, "release", LEVEL="patch", YES="1")

    assert second.returncode == 0, second.stdout
    assert itself.released() == ["v0.1.1"]
    assert "## v0.1.1\n\n- Answer in one line" in ship(itself.project, "changelog").stdout


def test_a_test_of_the_template_that_fails_is_remembered_as_a_red_check(itself: World) -> None:
    (itself.project / "Makefile").write_text("test-all:\n\t@false\n")
    shipped(itself)

    assert ship(itself.project, "check").returncode == 1

    refused = ship(itself.project, "release", LEVEL="minor", YES="1")
    assert "it failed. Fix: `make check`" in refused.stdout
    run(itself.project, "git", "diff", "--exit-code")
