import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

# Ctrl-C reaches both, though these tests may run in the background of a shell, where none arrives.
# Starts a program with a child, says both numbers, and waits.
FAMILY = """
import os, signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_DFL)
child = subprocess.Popen(["sleep", "60"])
print(os.getpid(), child.pid, flush=True)
child.wait()
"""
# A process that has FAMILY running in a folder, as ops would.
OPS = """
import pathlib, signal, sys, tempfile
from vitals.ops.run import shell
signal.signal(signal.SIGINT, signal.default_int_handler)
folder = pathlib.Path(tempfile.mkdtemp())
with open(sys.argv[1], "wb") as output:
    with shell.Program([shell.PYTHON, "-c", sys.argv[2]], output=output, folder=folder) as program:
        print(folder, flush=True)
        program.wait()
"""


def soon(condition: Callable[[], bool], within_seconds: float = 10) -> bool:
    deadline = time.monotonic() + within_seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)  # between two looks
    return condition()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_its_children_and_its_folder_go_when_ops_is_ended(
    by: signal.Signals, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    command = [shell.PYTHON, "-c", OPS, str(said), FAMILY]
    with subprocess.Popen(command, cwd=shell.ROOT, stdout=subprocess.PIPE, text=True) as ops:
        assert ops.stdout is not None
        folder = Path(ops.stdout.readline().strip())
        assert soon(lambda: said.exists() and said.read_text().endswith("\n"))
        family = [int(pid) for pid in said.read_text().split()]
        assert all(map(alive, family))

        ops.send_signal(by)

    assert soon(lambda: not any(map(alive, family)))
    assert soon(lambda: not folder.exists())


def test_a_program_runs_no_longer_than_its_block() -> None:
    with shell.Program(["sleep", "60"]) as program:
        assert program.code is None

    assert program.code is not None
    assert not alive(program.pid)


def test_a_program_that_ends_is_not_waited_for() -> None:
    with shell.Program(["false"]) as program:
        assert not program.wait_until(lambda: False, within_seconds=60)
        assert program.code == 1


def test_a_failing_program_is_refused_with_what_it_printed() -> None:
    with pytest.raises(Refused) as refused:
        shell.check_output([shell.PYTHON, "-c", "import sys; print('no such table'); sys.exit(3)"])

    assert "ended with 3" in refused.value.found
    assert refused.value.output == "no such table\n"


def test_a_program_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="no program no-such-program"):
        shell.run(["no-such-program"])


def test_the_environment_is_added_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")

    printed = shell.check_output(["sh", "-c", "echo $OURS $THEIRS"], {"THEIRS": "2"})

    assert printed == "1 2\n"


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", shell.free_port())) as listener:
        assert listener.getsockname()[1] > 0


def test_a_program_that_hangs_is_ended_when_its_time_is_over() -> None:
    assert shell.run(["sleep", "60"], within_seconds=0.1).code < 0


def test_a_warning_is_no_part_of_the_output_that_is_read() -> None:
    assert shell.check_output(["sh", "-c", "echo warning >&2; echo '{}'"]) == "{}\n"


def test_a_failing_program_is_refused_with_its_errors_too() -> None:
    with pytest.raises(Refused) as refused:
        shell.check_output(["sh", "-c", "echo found; echo why >&2; exit 1"])

    assert refused.value.output == "found\nwhy\n"
