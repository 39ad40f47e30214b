"""The checklist before shipping: `make check` runs all steps, `make lint` and its like run one.

A new step is a line in STEPS: its commands run one after the other. All steps run even when one
fails; what passed on the same inputs before is not run again, see `passes`. The result is recorded
in build/check.json, for the tree that was checked.
"""

import re
import sys
from collections.abc import Callable

from vitals.ops import services
from vitals.ops.check import parity, passes
from vitals.ops.run import git, project_file, record, shell, steps
from vitals.ops.run.steps import Result, Step

# From 3.14 on coverage measures by sys.monitoring, which sees greenlets without being told of them.
TRACER = " --concurrency=thread" if sys.version_info >= (3, 14) else ""
STEPS = {
    "lint": ["ruff check --quiet .", "ruff format --quiet --check ."],
    "types": ["pyrefly check"],
    "unit": [
        f"coverage run{TRACER} -m pytest tests --ignore tests/contract --ignore tests/integration",
        "coverage report",
    ],
    "integration": ["pytest tests/contract/test_hostile.py tests/integration"],
    "config": ["vitals.ops.check.config"],
    "schema": ["vitals.ops.check.schema"],
    "api": ["vitals.ops.check.api"],
    "security": ["vitals.ops.check.security"],
    "notes": ["vitals.ops.release.notes"],
    "engine": ["vitals.ops.check.engine"],
}
# The steps whose result docs/, changes/ and the Markdown beside them may change.
READ_DOCUMENTS = ("unit", "api", "notes")
DEPENDS_ON: dict[str, Callable[[], str]] = {  # what else changes a result, beside the inputs of all
    "integration": services.versions,
    "config": parity.versions,
    "schema": git.history,
    "api": git.history,
    "notes": git.history,
}
ALWAYS = ("security",)  # it stores its own passes: advisories and dates change without us
AT_ONCE = 3
LONG = ("unit", "integration", "security")  # started first, so that none is left for the end
PROGRAMS = {"PYTHONDONTWRITEBYTECODE": ""}  # the many that start compile each module once
NOT_RUN = re.compile(r"not run: (SEC-.*)")  # what a step says of what it left out, with reasons


def programs(commands: list[str]) -> str:
    """Run Python modules; return the last lines of their output.

    Raises `Refused` with the output of the first that fails.
    """
    outputs = (shell.check_output(_call(line), PROGRAMS, with_errors=True) for line in commands)
    return "; ".join(filter(None, map(_summary, outputs)))


def alone(name: str) -> int:
    """Run one step, a module after the other, and let them print as they go."""
    settings = {**PROGRAMS, "FRESH": "1"}
    return next(filter(None, (shell.attach(_call(line), settings) for line in STEPS[name])), 0)


def everything() -> int:
    """Run all steps of this project and record the result."""
    left_out = set() if "metadata" in project_file.table() else {"schema"}
    inputs = passes.Inputs()
    every = [step(name, inputs) for name in STEPS if name not in left_out]
    return remembered(lambda: steps.report(every, AT_ONCE, first=LONG))


def step(name: str, inputs: passes.Inputs) -> Step:
    """A step that runs and stores its pass, or one whose inputs passed before."""
    key = _key(name, inputs)

    def run() -> str:
        detail = programs(STEPS[name])
        if key and key == _key(name, passes.Inputs()):  # else a file changed meanwhile
            passes.store(key, detail)
        return detail

    return Step(name, run, unchanged=passes.find(key))


def _key(name: str, inputs: passes.Inputs) -> str | None:
    if name in ALWAYS:
        return None
    return inputs.key(name, name in READ_DOCUMENTS, DEPENDS_ON.get(name, str))


def remembered(run: Callable[[], list[Result]]) -> int:
    """Run something and record the result for this tree; return the exit code."""
    tree = git.tree_hash()
    results = run()
    ok = all(result.ok for result in results)
    if tree != git.tree_hash():
        steps.say("\nfiles changed meanwhile: nothing is recorded. Fix: `make check` again")
        return 1
    record.write("check", tree, ok, "all", results, not_run=_not_run(results))
    if tree is None:
        steps.say("\nno git repository here: recorded for no tree. Fix: `git init -b main`")
    failed = [result.name for result in results if not result.ok]
    steps.say(f"\n{'all steps passed' if ok else 'failed: ' + ', '.join(failed)}")
    if names := _not_run(results):
        steps.say(f"not run: {', '.join(names)}")
    return 0 if ok else 1


def _not_run(results: list[Result]) -> list[str]:
    said = (NOT_RUN.search(result.detail) or NOT_RUN.search(result.output) for result in results)
    return [name for found in said if found for name in re.split(", (?=SEC-)", found[1])]


def _call(line: str) -> list[str]:
    return [shell.PYTHON, "-m", *line.split()]


def _summary(printed: str) -> str:
    """The lines after pytest's dots, a table's total, or the last line; and what was not run."""
    _, tests_ran, after = printed.rpartition("[100%]")
    lines = [line for line in printed.rstrip().split("\n") if not NOT_RUN.match(line)]
    total = [line for line in lines if line.startswith("TOTAL")]
    left_out = [line for line in printed.split("\n") if NOT_RUN.match(line)]
    chosen = after.split("\n") if tests_ran else [*(total or lines[-1:]), *left_out]
    said = (line for line in chosen if line.strip() and not line.startswith(("=", "SKIPPED")))
    return "; ".join(" ".join(line.split()) for line in said)


if __name__ == "__main__":
    steps.exit_with(lambda: alone(sys.argv[1]) if sys.argv[1:] else everything())
