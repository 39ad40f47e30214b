"""Work of a team in a project, and whether all of it is still there."""

from pathlib import Path

from tests import baking
from tests.release.world import append, run
from tests.update.versions import add_to_lock, commit, edit, files, packages

FIELD = "from pydantic import Field\n\n"
GREETING = """
    greeting: str = Field("hello", min_length=1)
    \"\"\"what the service says\"\"\"
"""


def lines(project: Path) -> set[str]:
    """Every line of every file that git does not ignore."""
    names = files(project)
    if (project / ".git").exists():
        listed = run(project, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = {name for name in listed.split("\0") if (project / name).is_file()}
    return {line for name in names for line in (project / name).read_text().splitlines()}


def make_own(project: Path) -> None:
    """Work that no change of the template touches: a setting, a dependency, a text."""
    edit(project / "app" / "settings.py", "import vitals\n", f"{FIELD}import vitals\n")
    append(project / "app" / "settings.py", GREETING)
    append(project / "config" / "common.env", "\nAPP_GREETING=hello\n")
    edit(
        project / "pyproject.toml",
        "dependencies = [\n",
        'dependencies = [\n    "text-unidecode>=1.3",\n',
    )
    entry = packages((baking.ROOT / "requirements-generate.txt").read_text())["text-unidecode"]
    for lock in ("requirements.txt", "requirements-dev.txt"):
        add_to_lock(project / lock, entry)
    append(project / "README.md", "\n## Ours\n\nWe greet.\n")
    commit(project, "Greet")


def rename_the_example(project: Path) -> None:
    """Work that conflicts with the template's changes: items become orders."""
    run(project, "git", "mv", "app/items", "app/orders")
    run(project, "git", "mv", "tests/unit/items", "tests/unit/orders")
    for path in (*project.glob("app/**/*.py"), *project.glob("tests/**/*.py")):
        path.write_text(path.read_text().replace("items", "orders"))
    commit(project, "Orders")
