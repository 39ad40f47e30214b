"""Refusals of a release: each names one fix, and nothing was changed, byte by byte.

Where the fix is a command it is run, and then the release leaves.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.baking import environment
from tests.release.terminal import Releasing
from tests.release.world import World, append, run


def refused(world: World, level: str = "minor") -> Releasing:
    """Try to release: it must fail and leave everything as it was."""
    before = world.state()

    releasing = world.release(level)

    assert releasing.code != 0, releasing.output
    assert "nothing was changed" in releasing.output
    assert world.state() == before
    return releasing


def test_the_world_releases(world: World) -> None:
    releasing = world.release()

    assert releasing.code == 0, releasing.output
    assert world.released() == ["v0.2.0"]


def test_1_staged_changed_untracked_and_stashed_are_all_named_at_once(world: World) -> None:
    append(world.project / "app" / "main.py", "# aside\n")
    world.git("stash")
    append(world.project / "app" / "main.py", "# changed\n")
    append(world.project / "Makefile", "# staged\n")
    world.git("add", "Makefile")
    (world.project / "new").write_text("untracked")

    releasing = refused(world)

    assert "3 files not committed; 1 stashed" in releasing.output
    for line in ("M  Makefile", " M app/main.py", "?? new"):
        assert line in releasing.output


def test_1_a_dirty_tree_leaves_once_the_rest_is_put_aside(world: World) -> None:
    (world.project / "new").write_text("untracked")

    fixes = refused(world).fixes
    while fixes:
        run(world.project, *fixes[0].split())
        fixes = world.release().fixes

    assert world.released() == ["v0.2.0"]


@pytest.mark.parametrize("words", [["switch", "-c", "topic"], ["checkout", "--detach"]])
def test_2_another_branch_or_none_is_refused(world: World, words: list[str]) -> None:
    world.git(*words, "--quiet")

    (fix,) = refused(world).fixes

    run(world.project, *fix.split())
    assert world.release().code == 0


def remote_is_ahead(_: World, other: World) -> None:
    advance(other)


def ahead(world: World, _: World) -> None:
    world.git("commit", "--quiet", "--allow-empty", "--message=ahead")


def diverged(world: World, other: World) -> None:
    ahead(world, other)
    advance(other)


def no_upstream(world: World, _: World) -> None:
    world.git("branch", "--unset-upstream")


def known_behind(world: World, other: World) -> None:
    advance(other)
    world.git("fetch", "--quiet")


def advance(other: World) -> None:
    other.git("commit", "--quiet", "--allow-empty", "--message=theirs")
    other.git("push", "--quiet")


@pytest.mark.parametrize("apart", [remote_is_ahead, known_behind, ahead, diverged, no_upstream])
def test_3_another_commit_than_the_remotes_is_refused_with_the_command_that_helps(
    world: World, second: Callable[..., World], apart: Callable[[World, World], None]
) -> None:
    apart(world, second())

    fixes = refused(world).fixes

    while fixes:
        run(world.project, *fixes[0].split())
        fixes = world.passed().release().fixes
    assert world.released() == ["v0.2.0"]


def test_3_a_remote_that_is_away_is_refused(world: World) -> None:
    world.git("remote", "set-url", "origin", "../away")

    assert refused(world).fixes == ["git ls-remote origin"]


def test_3_without_a_remote_the_refusal_names_the_command_that_adds_one(world: World) -> None:
    world.git("remote", "remove", "origin")

    assert refused(world).fixes == ["git remote add origin ADDRESS"]


def test_3_a_remote_that_hangs_is_refused_soon(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.git("remote", "set-url", "origin", f"git://127.0.0.1:{silent.getsockname()[1]}/o")
        started = time.monotonic()

        assert refused(world).fixes == ["git ls-remote origin"]

    seconds = time.monotonic() - started
    print(f"a hanging remote was refused after {seconds:.1f} s; the limit is 15 s")
    assert seconds < 4 * 15


def test_4_a_version_that_is_only_local_is_refused(world: World) -> None:
    world.git("tag", "v0.2.0")

    (fix,) = refused(world).fixes

    assert fix == "git tag --delete v0.2.0"
    run(world.project, *fix.split())
    assert world.release().code == 0


@pytest.mark.parametrize("commit", ["HEAD", "HEAD~1"])
def test_4_a_version_that_is_only_on_the_remote_is_refused(
    world: World, second: Callable[..., World], commit: str
) -> None:
    other = second()
    other.git("tag", "--annotate", "--message=theirs", "v0.2.0", commit)
    other.git("push", "--quiet", "origin", "v0.2.0")

    assert "git fetch --tags origin" in refused(world).fixes


def test_4_a_version_that_differs_from_the_remote_is_refused(world: World) -> None:
    world.git("tag", "--force", "--annotate", "--message=moved", "v0.1.0", "v0.1.0^{}")

    (fix,) = refused(world).fixes

    run(world.project, *fix.split())
    assert world.release().code == 0


@pytest.mark.parametrize("level", ["patch", "minor", "major"])
def test_4_a_commit_that_is_released_is_not_released_again(world: World, level: str) -> None:
    assert world.release().code == 0

    refused(world, level)


def test_5_a_red_check_is_refused(world: World) -> None:
    world.passed(check=False)

    assert refused(world).fixes == ["make check"]


def test_5_a_missing_check_is_refused(world: World) -> None:
    (world.project / "build" / "check.json").unlink()

    assert refused(world).fixes == ["make check"]


def test_5_a_check_of_another_tree_is_refused(world: World) -> None:
    record = world.project / "build" / "check.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"tree": "0" * 40}))

    assert refused(world).fixes == ["make check"]


def test_5_a_check_that_changed_a_file_is_refused(world: World) -> None:
    append(world.project / "app" / "main.py", "# formatted\n")

    said = refused(world)

    assert "for different files" in said.output
    assert said.fixes[:2] == ["git stash --include-untracked", "make check"]


def test_6_without_a_record_it_is_refused(world: World) -> None:
    world.git("rm", "--quiet", "changes/0001-answer.toml")
    world.git("commit", "--quiet", "--amend", "--no-edit")
    world.git("push", "--quiet", "--force")
    world.passed()

    assert 'make change TITLE="…"' in refused(world).fixes


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('reason = "TODO"', "0001-answer.toml: reason: 'TODO'; expected"),
        ('rollback = "Revert the commit."', "0001-answer.toml: rollback: 'Revert the commit.'; ex"),
        ("expected = 3", "0001-answer.toml: expected: 3; expected"),
        ('not_measured = ""', "0001-answer.toml: not_measured: ''; expected"),
        ('numbers = "412"', "0001-answer.toml: numbers: unknown; expected"),
        ("owner = team", "0001-answer.toml: Invalid value"),
    ],
)
def test_6_an_invalid_record_is_refused_by_file_and_field(
    world: World, line: str, said: str
) -> None:
    record = world.project / "changes" / "0001-answer.toml"
    field = line.partition(" ")[0]
    others = [known for known in record.read_text().splitlines() if not known.startswith(field)]
    record.write_text("\n".join([*others, line]) + "\n")
    world.commit()
    world.git("push", "--quiet")
    world.passed()

    assert said in refused(world).output


@pytest.mark.parametrize(
    "rehearsal", [{"ok": False}, {"tree": "0" * 40}, {"mode": "compose"}, {"mode": "none"}]
)
def test_7_a_rehearsal_that_failed_or_was_another_is_refused(
    world: World, rehearsal: dict[str, object]
) -> None:
    world.passed(**rehearsal)

    (fix,) = refused(world).fixes
    assert fix.startswith("make rehearse")


def test_7_a_missing_rehearsal_is_refused(world: World) -> None:
    (world.project / "build" / "rehearsal.json").unlink()

    assert refused(world).fixes == ["make rehearse"]


def test_every_refusal_is_shown_at_once(world: World) -> None:
    (world.project / "new").write_text("untracked")
    shutil.rmtree(world.project / "build")
    world.git("switch", "--quiet", "-c", "topic")
    world.git("tag", "v9.9.9")

    assert refused(world).fixes == [
        "git switch main",
        "git stash --include-untracked",
        "make check",
        "make rehearse",
        "git tag --delete v9.9.9",
    ]


def test_14_a_shallow_clone_is_refused_until_the_history_is_there(
    second: Callable[..., World],
) -> None:
    shallow = second("--depth=1")

    fixes = refused(shallow).fixes

    while fixes:
        run(shallow.project, *fixes[0].split())
        fixes = shallow.release().fixes
    assert shallow.released() == ["v0.2.0"]


def test_14_tags_that_were_not_fetched_give_no_wrong_number(second: Callable[..., World]) -> None:
    clone = second("--no-tags")

    (fix,) = refused(clone).fixes

    run(clone.project, *fix.split())
    assert clone.release().code == 0
    assert clone.released() == ["v0.2.0"]


def test_a_dry_run_shows_the_notes_and_changes_nothing(world: World) -> None:
    before = world.state()

    releasing = world.release(DRY="1")

    assert releasing.code == 0
    assert "- Answer in one line (team-orders)" in releasing.output
    assert "files: app/main.py" in releasing.output
    assert world.state() == before


def test_without_a_terminal_and_without_yes_it_is_refused(world: World) -> None:
    before = world.state()

    done = subprocess.run(
        [sys.executable, "-m", "vitals.ops.release.release"],
        cwd=world.project,
        env=environment(LEVEL="minor"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "YES=1 asks nothing" in done.stdout
    assert world.state() == before
