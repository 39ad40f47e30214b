import shutil
import socket
from pathlib import Path

import pytest
from vitals.ops.project import serve
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def test_a_taken_port_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", shell.free_port())) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(Refused) as refused:
            serve.refuse_taken(port)

    assert str(refused.value) == (
        f"port {port}: address already in use. "
        f"Fix: stop what listens there, or `make run PORT={port + 1}`"
    )


@pytest.mark.parametrize("given", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", given)

    with pytest.raises(Refused, match="a number from 1 to 65535"):
        serve.port()


def test_without_a_port_it_is_8000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)

    assert serve.port() == 8000


APP = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("{} on", os.environ["APP_PORT"], flush=True)
time.sleep(60)  # it serves until it is ended, as it is in each test
"""
BEFORE = "print('before', flush=True)"


def test_a_change_restarts_the_service_and_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    project = tmp_path / "größe two"
    shutil.copytree(shell.ROOT / "ops", project / "ops")
    start = project / "app" / "__main__.py"
    start.parent.mkdir()
    start.write_text(APP.format("one"))
    (project / "before.py").write_text(BEFORE)
    port = str(shell.free_port())
    said = tmp_path / "said"

    with (
        said.open("wb") as output,
        shell.Program(
            [shell.PYTHON, "-m", "vitals.ops.project.serve", "before"],
            environment={"PORT": port},
            output=output,
            folder=project,
        ) as run,
    ):
        assert serve.wait_until(lambda: f"one on {port}" in said.read_text(), within_seconds=20)
        start.write_text(APP.format("another"))  # of one length and second, two could be one .pyc
        assert serve.wait_until(lambda: f"another on {port}" in said.read_text(), within_seconds=20)
        assert serve.stop() == 0

    first, changed, second = said.read_text().partition("changed: app/__main__.py\n")
    assert first == f"before\none on {port}\n"
    assert changed
    assert second == f"before\nanother on {port}\n"
