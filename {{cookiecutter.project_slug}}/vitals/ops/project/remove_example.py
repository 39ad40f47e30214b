"""The example feature: takes its files, its lines in other files and its record out of a project.

example.json is the one table of it, for the template's hook too. Whole `files` go. In the `marked`
files go lines that end in `# example`, and blocks from `# example begins` to `# example ends`; in
Markdown a marker is a comment, `<!-- example -->`.
"""

import json
import re
import shutil
from pathlib import Path

from vitals.ops import slo
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

EXAMPLE_FILE = Path(__file__).with_name("example.json")
RECORD = ".vitals.json"
BLOCK = r"^[ \t]*(?:#|<!--) example begins(?: -->)?\n.*?^[ \t]*(?:#|<!--) example ends(?: -->)?\n"
LINE = r"^[^\n]*(?:# example|<!-- example -->)\n"
MARKED = re.compile(f"{BLOCK}|{LINE}", re.MULTILINE | re.DOTALL)
DATABASE = "local.db"


def without(text: str) -> str:
    """A text without the lines and blocks that are marked as the example's."""
    return MARKED.sub("", text)


def remove(root: Path) -> None:
    """Take the example out of the project in `root`: what a project left out before may be missing.

    Needs only the standard library, since the template's hook runs it in each new project.
    """
    table = json.loads(EXAMPLE_FILE.read_text(encoding="utf-8"))
    for path in map(root.joinpath, table["files"]):
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        _remove_empty(path.parent)
    for file in filter(Path.is_file, map(root.joinpath, table["marked"])):
        file.write_text(without(file.read_text(encoding="utf-8")), encoding="utf-8")
    if (root / slo.SOURCE).is_file():
        slo.write(root)
    record = json.loads((root / RECORD).read_text(encoding="utf-8")) | {"example": False}
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (root / RECORD).write_text(f"{text}\n", encoding="utf-8")


def _remove_empty(folder: Path) -> None:
    while folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def refuse_lost_work() -> None:
    """Raise `Refused` where git could not bring back what is removed."""
    table = json.loads(EXAMPLE_FILE.read_text(encoding="utf-8"))
    if not git.is_repository():
        return
    here = [name for name in (*table["files"], *table["marked"]) if (shell.ROOT / name).exists()]
    if here and (changed := git.git("status", "--porcelain", "--", *here).splitlines()):
        found = f"{len(changed)} uncommitted changes in files of the example"
        raise Refused(found, "none, so that git can bring them back", "`git commit` or `git stash`")


def main() -> None:
    """Take the example out, unless that was done before."""
    record = json.loads((shell.ROOT / RECORD).read_text(encoding="utf-8"))
    if record.get("example") is False:
        steps.say("the example is already removed")
        return
    refuse_lost_work()
    remove(shell.ROOT)
    steps.say("the example is removed. Next: `make check`, `git add --all && git commit`")
    if (shell.ROOT / DATABASE).exists():
        steps.say(f"{DATABASE} still holds the example's tables. Fix: rm {DATABASE}")


if __name__ == "__main__":
    steps.exit_with(main)
