"""How fast does one get a project, and how long are its files? python -m benchmarks.foundation"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import baking

PAIRS = 9
IMPORT = [sys.executable, "-c", "import cookiecutter.cli"]
GENERATE = [sys.executable, "-m", "cookiecutter", str(baking.template()), "--no-input"]
GENERATE += ["--config-file", str(baking.user_config())]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        generation(Path(folder))
        first_check(Path(folder))
    lengths()


def generation(folder: Path) -> None:
    """Generate, and only import cookiecutter, in turn; the limit is twice the import."""
    ratios = []
    for number in range(PAIRS):
        imported = seconds(IMPORT, folder)
        generated = seconds([*GENERATE, "-o", str(folder / str(number))], folder)
        ratios.append(generated / imported)
    row("generate, over `import cookiecutter.cli`", statistics.median(ratios), 2.0, "x")


def first_check(folder: Path) -> None:
    """From a fresh project to a green check, and the check once more; the uv cache is warm."""
    project = baking.generate(folder / "checked")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    row("make setup && make check", seconds(["make", "setup", "check"], project), 30, "s")
    row("make check again", seconds(["make", "check"], project), 15, "s")


def lengths() -> None:
    """The lines of the service's files."""
    app = [
        name for name in baking.project_files() if name.startswith("app/") and name.endswith(".py")
    ]
    lines = [len((baking.IN_PLACE / name).read_text().splitlines()) for name in app]
    row("longest file in app/", max(lines), 200, "lines")
    row("median file in app/", statistics.median(lines), 70, "lines")
    row("app/ in all", sum(lines), 1800, "lines")


def seconds(command: list[str], folder: Path) -> float:
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=baking.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{command} failed; expected 0. Safe to repeat.")
    return time.perf_counter() - begun


def row(what: str, figure: float, limit: float, unit: str) -> None:
    print(f"{what:42} {figure:8.2f} {unit:6} limit {limit:g}", flush=True)


if __name__ == "__main__":
    main()
