"""Good and bad versions on real processes, watched under traffic."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.containers.released import Released

DRIVER = Path(__file__).with_name("watching.py")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Released:
    released = Released(tmp_path_factory.mktemp("watched"))
    released.release("v0.1.0")
    return released


def outcome(project: Released, name: str) -> dict[str, Any]:
    python = project.project / ".venv" / "bin" / "python"
    done = subprocess.run(
        [python, DRIVER, name],
        cwd=project.project,
        env=project.environment(PYTHONPATH=str(project.project)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"{name}: {done.stdout.splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "happens",
    [
        *("do_nothing", "empty_the_cache", "freeze_the_database"),
        *("treble_the_traffic", "thin_the_traffic"),
    ],
)
def test_a_good_version_stays(happens: str, project: Released) -> None:
    found = outcome(project, happens)

    assert found["worse"] == ""
    assert "this-tree" in found["live"]
    assert "not watched to its end" not in found["live"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("errors", r"requests \(.*%\) failed; before, 0 of"),
        ("slow", r"/items: .* took more than 250 ms"),
        ("calls", r"/items: .* made more than \d+ database calls"),
        ("memory", r"uses \d+ MiB of memory; before"),
        ("crash", r"it has ended"),
    ],
)
def test_a_bad_version_is_taken_back_within_60_s(
    fault: str, sentence: str, project: Released
) -> None:
    found = outcome(project, fault)

    assert re.search(
        f"failing went back to v0.1.0, and is marked bad: .*{sentence}", found["worse"]
    )
    assert "v0.1.0  rollback" in found["live"]
    assert found["seconds"] < 4 * 60
