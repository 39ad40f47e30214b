import io
import os
import subprocess
import sys

import pytest

from tests.baking import wait_until
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused, Step

SAY = "from vitals.ops.run import steps; steps.exit_with(lambda: steps.say('Ada → Zoë'))"


def refuse() -> None:
    raise Refused("port 80", "a free port", "PORT=8001", output="what the program said")


def interrupt() -> None:
    raise KeyboardInterrupt


def test_all_steps_run_though_one_fails_and_are_reported_in_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = steps.report([Step("one", refuse), Step("two", lambda: "2 passed")], at_once=2)

    assert [(result.name, result.ok) for result in results] == [("one", False), ("two", True)]
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert "FAILED" in first
    assert "port 80; expected a free port. Fix: PORT=8001" in first
    assert "ok" in second
    assert second.endswith("2 passed")
    assert rest == ["", "one:", "what the program said"]


def test_a_step_that_is_named_first_is_started_first_and_reported_in_its_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    started: list[str] = []
    todo = [Step(name, lambda name=name: started.append(name)) for name in ("short", "long")]

    results = steps.report(todo, first=["long"])

    assert started == ["long", "short"]
    assert [result.name for result in results] == ["short", "long"]
    assert "short" in capsys.readouterr().out.splitlines()[0]


def test_a_refusal_ends_the_command_with_1_and_its_fix(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        steps.exit_with(refuse)

    assert ended.value.code == 1
    assert capsys.readouterr().out == (
        "what the program said\nport 80; expected a free port. Fix: PORT=8001\n"
    )


def test_ctrl_c_ends_the_command_with_130_and_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        steps.exit_with(interrupt)

    assert ended.value.code == 130
    assert capsys.readouterr().out.endswith("Safe to run again.\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_who_sits_at_a_terminal_sees_that_a_long_step_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())

    def wait() -> None:
        wait_until(lambda: "long … 1 s" in terminal.getvalue(), 30)

    steps.report([Step("long", wait)])

    assert terminal.getvalue().rpartition("\r")[2].startswith("  long  ok ")


def test_what_is_quoted_can_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    steps.say("a file named \x1b[2J\r\x9b\u202e, café …\n\tits second line")

    assert capsys.readouterr().out == (
        "a file named \\x1b[2J\\r\\x9b\\u202e, café …\n\tits second line\n"
    )


def test_a_full_disk_ends_the_command_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        with open("/dev/full", "w") as full:  # noqa: PTH123
            full.write("x" * 100_000)

    with pytest.raises(SystemExit) as ended:
        steps.exit_with(write)

    assert ended.value.code == 1
    assert capsys.readouterr().out == "the system: No space left on device. Safe to repeat\n"


def test_a_terminal_that_knows_latin_letters_only_gets_the_others_escaped() -> None:
    done = subprocess.run(
        [shell.PYTHON, "-c", SAY],
        cwd=shell.ROOT,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )

    assert done.stdout == b"Ada \\u2192 Zo\xeb\n"
