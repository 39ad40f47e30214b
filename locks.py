"""Hash locks of each variant of the generated project: `make lock` renews all of them.

The project's own `vitals.ops.project.lock` does the work, first for the variant with everything in,
whose versions the others take over. Each variant's locks lie in `locks/<variant>/`, where the
post-generation hook takes them from.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import jinja2

PROJECT = Path(__file__).parent / "{{cookiecutter.project_slug}}"
VARIANTS = {
    "full": {"database": True, "cache": True},
    "database": {"database": True, "cache": False},
    "cache": {"database": False, "cache": True},
    "plain": {"database": False, "cache": False},
}
sys.path.insert(0, str(PROJECT))

from vitals.ops.project import lock  # noqa: E402  the project's own module, as it lies
from vitals.ops.run import steps  # noqa: E402


def rendered(options: dict[str, bool]) -> str:
    """pyproject.toml as a project with these options gets it."""
    environment = jinja2.Environment(
        line_statement_prefix="# jinja:", undefined=jinja2.StrictUndefined, autoescape=False
    )
    answers = {"project_slug": "orders-api", "description": "Locks.", "owner": "nobody"}
    template = environment.from_string((PROJECT / "pyproject.toml").read_text())
    return template.render(cookiecutter={**answers, "deploy": "compose", **options})


def renew(variant: str, upgrade: bool) -> int:
    """Renew the locks of one variant; those of the whole are where it starts from."""
    home = PROJECT if variant == "full" else PROJECT / "locks" / "full"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in home.glob("requirements*.txt"):
            shutil.copy(file, folder)
        (folder / "pyproject.toml").write_text(rendered(VARIANTS[variant]))
        steps.say(f"{variant}:")
        if code := lock.renew(folder, upgrade=upgrade and variant == "full"):
            return code
        keep(folder, variant)
    return 0


def keep(folder: Path, variant: str) -> None:
    """Put a variant's locks where the hook finds them, and the whole's into the root too."""
    destination = PROJECT / "locks" / variant
    destination.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("requirements*.txt"):
        if variant == "full":
            shutil.copy(file, PROJECT)
        if file.name != "requirements-uv.txt":
            shutil.copy(file, destination)


def main() -> int:
    upgrade = "--upgrade" in sys.argv
    return next(filter(None, (renew(variant, upgrade) for variant in VARIANTS)), 0)


if __name__ == "__main__":
    steps.exit_with(main)
