"""Release of the template itself, by the project's own `vitals.ops` in place: `make release`.

Only the watched files, the check and the hint after a release differ.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).parent
PROJECT = ROOT / "{{cookiecutter.project_slug}}"
sys.path.insert(0, str(PROJECT))

from vitals.ops.check import check  # noqa: E402  as above
from vitals.ops.release import changelog, changes, notes, release  # noqa: E402
from vitals.ops.run import shell, steps  # noqa: E402

shell.ROOT = ROOT
steps.waiting = nullcontext  # the tests print as they go
notes.WATCHED = (
    f"{PROJECT.name}/",
    "hooks/",
    "cookiecutter.json",
    "local_extensions.py",
    "template_origin.py",
)
release.NEXT = """released {version}
  to use:   cookiecutter ADDRESS --checkout {version}
  to undo:  git revert what is wrong, and release a patch"""


def all_tests() -> None:
    """Run them while they print."""
    if shell.attach(["make", "--no-print-directory", "test-all"]):
        raise steps.Refused("a test failed", fix="see above")


def checked() -> int:
    every = [steps.Step("tests", all_tests), steps.Step("notes", notes.check)]
    return check.remembered(lambda: steps.report(every))


COMMANDS = {
    "change": changes.main,
    "notes": notes.main,
    "check": checked,
    "release": release.main,
    "changelog": changelog.main,
}

if __name__ == "__main__":
    steps.exit_with(COMMANDS[sys.argv[1]])
