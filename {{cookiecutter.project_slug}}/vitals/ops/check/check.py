"""Is this tree fit to ship? `make check` runs all steps, also when one fails; `make lint` runs one.

A new step is a line in STEPS: its commands run one after the other. What came out is remembered
in build/check.json, for this very tree.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Result, Step

STEPS = {
    "lint": ["ruff check --quiet .", "ruff format --quiet --check ."],
    "types": ["pyrefly check"],
    "unit": ["coverage run -m pytest tests --ignore tests/integration", "coverage report"],
    "integration": ["pytest tests/integration"],
    "config": ["vitals.ops.check.config"],
    "security": ["vitals.ops.check.security"],
    "notes": ["vitals.ops.release.notes"],
}
AT_ONCE = 2
PROGRAMS = {"PYTHONDONTWRITEBYTECODE": ""}  # the many that start compile each module once
RECORD = shell.ROOT / "build" / "check.json"


def programs(commands: list[str]) -> str:
    """Run Python modules; return what they said last.

    Raises `Refused` with the output of the first that fails.
    """
    said = (shell.must(_call(line), PROGRAMS) for line in commands)
    return "; ".join(filter(None, map(_summary, said)))


def alone(name: str) -> int:
    """Run one step, a module after the other, and let them print as they go."""
    return next(filter(None, (shell.attach(_call(line), PROGRAMS) for line in STEPS[name])), 0)


def everything() -> int:
    """Run all steps and remember how this tree came out."""
    every = [Step(name, partial(programs, commands)) for name, commands in STEPS.items()]
    return remembered(lambda: steps.report(every, AT_ONCE))


def remembered(run: Callable[[], list[Result]]) -> int:
    """Run something and remember how this tree came out; return the exit code."""
    tree = git.tree_hash()
    results = run()
    ok = all(result.ok for result in results)
    if tree != git.tree_hash():
        steps.say("\nfiles changed meanwhile: nothing is remembered. Fix: `make check` again")
        return 1
    _remember(tree, ok, results)
    if tree is None:
        steps.say("\nno git repository here: remembered for no tree. Fix: `git init -b main`")
    failed = [result.name for result in results if not result.ok]
    steps.say(f"\n{'all steps passed' if ok else 'failed: ' + ', '.join(failed)}")
    return 0 if ok else 1


def _remember(tree: str | None, ok: bool, results: list[Result]) -> None:
    record = {
        "tree": tree,
        "ok": ok,
        "mode": "all",
        "steps": [{"name": r.name, "ok": r.ok, "seconds": r.seconds} for r in results],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=2) + "\n")


def _call(line: str) -> list[str]:
    return [shell.PYTHON, "-m", *line.split()]


def _summary(printed: str) -> str:
    """The lines behind pytest's dots, the total of a table, or the last line, in one."""
    _, tests_ran, after = printed.rpartition("[100%]")
    said = printed.rstrip().split("\n")
    total = [line for line in said if line.startswith("TOTAL")]
    lines = after.split("\n") if tests_ran else total or said[-1:]
    return "; ".join(" ".join(line.split()) for line in lines if line.strip())


if __name__ == "__main__":
    steps.exit_with(lambda: alone(sys.argv[1]) if sys.argv[1:] else everything())
