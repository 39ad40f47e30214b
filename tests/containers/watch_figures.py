"""Figures of the watched switch: `python -m tests.containers.watch_figures good 4`.

Repeats what test_watched.py runs once: `good`, each kind of good version; `bad`, a deployment that
is watched and taken back, with processes; `compose`, the same with containers.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.containers.released import Released

DRIVER = Path(__file__).with_name("watching.py")
GOOD = (
    *("do_nothing", "empty_the_cache", "freeze_the_database"),
    *("treble_the_traffic", "thin_the_traffic"),
)
RUNS = {
    "good": [(name, "process") for name in GOOD],
    "bad": [("errors", "process")],
    "compose": [("errors", "compose")],
}


def outcome(project: Released, name: str, mode: str = "process") -> dict[str, Any]:
    """Watch a version over the last release; print what came of it, and return it."""
    done = subprocess.run(
        [project.project / ".venv" / "bin" / "python", DRIVER, name, mode],
        cwd=project.project,
        env=project.environment(PYTHONPATH=str(project.project)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    print(f"{mode}, {name}: {last}", flush=True)
    found: dict[str, Any] = json.loads(last)
    return found


def repeated(what: str, times: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="watched-") as folder:
        project = Released(Path(folder))
        project.release("v0.1.0")
        for name, mode in RUNS[what] * times:
            yield outcome(project, name, mode)


def main() -> None:
    what, times = sys.argv[1], int(sys.argv[2])
    found = list(repeated(what, times))
    back, failed = sum(bool(each["worse"]) for each in found), sum(e["failures"] for e in found)
    rate = min(each["rate"] for each in found)
    print(f"{what}: {back} of {len(found)} taken back; at {rate} requests per second or more,")
    print(f"{failed} failed, beyond those that a bad version itself answered")


if __name__ == "__main__":
    main()
