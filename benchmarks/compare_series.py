"""Reliability of `make compare`: python -m benchmarks.compare_series [RUNS]

Each run compares a fresh project with itself, and then with one in which a route uses 20 % more
CPU. Prints each run, and at the end how many results were right.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests import baking

RUNS, RUN_SECONDS = 20, 15
ROUTE = "GET /items"
DURATIONS = [f"{vital} of {ROUTE}" for vital in ("p50", "p95", "p99")]
MAIN = Path("app", "main.py")
# Just before the body is sent, spends 20 % of the CPU time that the request has used so far.
FAULT = """

class Slower:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        started = thread_time()

        async def send_later(message):
            if message["type"] == "http.response.body":
                enough = started + 1.2 * (thread_time() - started)
                while thread_time() < enough:
                    pass
            await send(message)

        slow = scope.get("path") == "/items"
        await self.app(scope, receive, send_later if slow else send)


def create_app(settings, original=create_app):
    app = original(settings)
    app.add_middleware(Slower)
    return app
"""


class Run(NamedTuple):
    seconds: float
    rows: list[dict[str, Any]]

    def named(self) -> list[str]:
        """The verdict on each row that differs."""
        return [f"{row['metric']} {row['verdict']}" for row in self.rows if row["seen"]]

    def found(self) -> bool:
        """Whether a duration of the route is reported as worse."""
        worse = (row["metric"] for row in self.rows if row["seen"] and not row["better"])
        return any(metric.removesuffix(", cold cache") in DURATIONS for metric in worse)


def project(folder: Path) -> Path:
    """Generate a project with one commit, and set it up."""
    made = baking.generate(folder)
    person = ["-c", "user.name=Series", "-c", "user.email=series@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*person, "commit", "-qm", "Start"]):
        subprocess.run(["git", *words], cwd=made, check=True)
    done = baking.make(made, "setup")
    if done.returncode:
        sys.exit(done.stdout)
    return made


def compare(made: Path, planted: bool, seconds: int = RUN_SECONDS) -> Run:
    """Compare the commit with the tree as it is, or with the fault in it."""
    main = made / MAIN
    original = main.read_text(encoding="utf-8")
    if planted:
        main.write_text(f"from time import thread_time\n\n{original}{FAULT}", encoding="utf-8")
    started = time.monotonic()
    done = baking.make(made, "compare", "BASE=HEAD", f"SECONDS={seconds}")
    took = time.monotonic() - started
    main.write_text(original, encoding="utf-8")
    if done.returncode:
        sys.exit(done.stdout)
    results = (made / "build" / "measurements").glob("*.json")
    newest = max(results, key=lambda path: path.stat().st_mtime)
    return Run(took, json.loads(newest.read_text(encoding="utf-8"))["rows"])


def main() -> int:
    """Run the series. Returns 1 if too few results were right."""
    runs = int(sys.argv[1]) if sys.argv[1:] else RUNS
    same, planted = list[Run](), list[Run]()
    with tempfile.TemporaryDirectory(prefix="series-") as folder:
        made = project(Path(folder))
        compare(made, planted=False, seconds=6)  # creates the environment that all others share
        for number in range(1, runs + 1):
            for name, runs_so_far in (("same", same), ("planted", planted)):
                runs_so_far.append(run := compare(made, planted=runs_so_far is planted))
                verdicts = "; ".join(run.named()) or "no difference seen"
                print(f"{number:3} {name:8} {run.seconds:5.1f} s  {verdicts}", flush=True)
    found, false = sum(run.found() for run in planted), sum(bool(run.named()) for run in same)
    longest = max(run.seconds for run in same + planted)
    print(f"planted +20 % CPU found in {found} of {runs}; at least {runs - 1}")
    print(f"a difference named between equals in {false} of {runs}; at most 1")
    print(f"the longest run {longest:.1f} s; at most 30")
    return 0 if found >= runs - 1 and false <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
