"""What does a user do in a project, and is it all still there?"""

from pathlib import Path

from tests import baking
from tests.release.world import append, run
from tests.update.versions import add_to_lock, commit, edit, files, packages


def lines(project: Path) -> set[str]:
    """Every line of every file, but of what git ignores."""
    names = files(project)
    if (project / ".git").exists():
        listed = run(project, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = {name for name in listed.split("\0") if (project / name).is_file()}
    return {line for name in names for line in (project / name).read_text().splitlines()}


def make_own(project: Path) -> None:
    """A user's work that lies beside the template's: a setting, a dependency, a text."""
    edit(
        project / "app" / "settings.py",
        '    host: str = Field("127',
        '    greeting: str = Field("hello", min_length=1, description="what the service says")\n'
        '    host: str = Field("127',
    )
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
    """A user's work that the template's changes run into: items are orders now."""
    run(project, "git", "mv", "app/items", "app/orders")
    run(project, "git", "mv", "tests/unit/items", "tests/unit/orders")
    for path in (*project.glob("app/**/*.py"), *project.glob("tests/**/*.py")):
        path.write_text(path.read_text().replace("items", "orders"))
    commit(project, "Orders")
