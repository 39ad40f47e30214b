"""Time and size of a new project: `python -m benchmarks.foundation` prints both beside the limits.

Lines are those of Python, JavaScript, CSS and HTML, as rendered with the default answers.
"""

import ast
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests import baking

PAIRS = 9
IMPORT = [sys.executable, "-c", "import cookiecutter.cli"]
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
CODE = (".py", ".js", ".css", ".html")
OPS = {  # folders of vitals/ops: how many lines they may have
    ("check",): 1300,
    ("deploy",): 2500,
    ("measure",): 800,
    ("release",): 650,
    ("project",): 900,
    ("run", "services"): 650,
}


class Size(NamedTuple):
    part: str
    found: int
    unit: str
    limit: int


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        generation(Path(folder))
        first_check(Path(folder))
    for size in sizes():
        row(size.part, size.found, size.limit, size.unit)


def generation(folder: Path) -> None:
    """Generate, and only import cookiecutter, in turn; the limit is twice the import."""
    generate = [sys.executable, "-m", "cookiecutter", str(baking.template()), "--no-input"]
    generate += ["--config-file", str(baking.user_config())]
    ratios = []
    for number in range(PAIRS):
        imported = seconds(IMPORT, folder)
        generated = seconds([*generate, "-o", str(folder / str(number))], folder)
        ratios.append(generated / imported)
    row("generate, over `import cookiecutter.cli`", statistics.median(ratios), 2.0, "x")


def first_check(folder: Path) -> None:
    """From a fresh project to a green check, and the checks after it; the uv cache is warm."""
    project = baking.generate(folder / "checked")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    row("make setup && make check", seconds(["make", "setup", "check"], project), 25, "s")
    checked("make check, everything", project, 12, "FRESH=1")
    checked("make check, nothing changed", project, 3)
    append(project / "README.md", "A sentence.\n")
    checked("make check, a document changed", project, 12)
    append(project / "app" / "items" / "routes.py", "\n\nCHANGED = True\n")
    checked("make check, one feature's file changed", project, 3)


def checked(what: str, project: Path, limit: float, *words: str) -> None:
    """Check a project, and print the time; that of all processors depends less on other load."""
    before = os.times()
    row(what, seconds(["make", "check", *words], project), limit, "s")
    used = [getattr(os.times(), kind) for kind in ("children_user", "children_system")]
    spent = sum(used) - before.children_user - before.children_system
    print(f"  of all processors: {spent:.1f} s")


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def sizes() -> Iterator[Size]:
    """Each part of a project, its size, and the limit."""
    files = baking.files_of(baking.bake())
    without = baking.files_of(baking.bake(_example="false"))
    app = starting(files, "app/")
    yield Size("app/", lines(app), "lines", 500)
    yield Size("app/", len(app), "files", 12)
    yield Size("app/ without the example", lines(starting(without, "app/")), "lines", 140)
    ops = starting(files, "vitals/ops/")
    engine = starting(files, "vitals/")
    yield Size("vitals/ without ops", lines(engine) - lines(ops), "lines", 4200)
    yield Size("vitals/ops", lines(ops), "lines", 5700)
    for folders, limit in OPS.items():
        part = sum(lines(starting(files, f"vitals/ops/{folder}/")) for folder in folders)
        yield Size(f"vitals/ops: {', '.join(folders)}", part, "lines", limit)
    yield Size("tests/", lines(starting(files, "tests/")), "lines", 1500)
    yield Size("files outside vitals/", len(files) - len(engine), "files", 90)
    code = {name: text for name, text in (app | engine).items() if name.endswith(CODE)}
    yield longest("file", {name: len(text.splitlines()) for name, text in code.items()}, 200)
    python = {name: text for name, text in code.items() if name.endswith(".py")}
    yield longest("function", dict(functions(python)), 40)


def starting(files: Mapping[str, str], folder: str) -> dict[str, str]:
    """The files below a folder."""
    return {name: text for name, text in files.items() if name.startswith(folder)}


def lines(files: Mapping[str, str]) -> int:
    """The lines of all code in these files."""
    return sum(len(text.splitlines()) for name, text in files.items() if name.endswith(CODE))


def functions(files: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Each function, and the lines of its body without docstring and inner functions."""
    for name, text in files.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, FUNCTION):
                first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
                inner = sum(length(each) for each in node.body if isinstance(each, FUNCTION))
                yield f"{name}: {node.name}", (node.end_lineno or 0) - first.lineno + 1 - inner


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """All lines of a function, with its decorators."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return (node.end_lineno or 0) - first + 1


def longest(what: str, found: Mapping[str, int], limit: int) -> Size:
    name = max(found, key=found.__getitem__)
    return Size(f"longest {what}: {name}", found[name], "lines", limit)


def seconds(command: list[str], folder: Path) -> float:
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=baking.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{command} failed; expected 0. Safe to retry.")
    return time.perf_counter() - begun


def row(what: str, figure: float, limit: float, unit: str) -> None:
    text = f"{figure:.2f}" if isinstance(figure, float) else str(figure)
    print(f"{what:60} {text:>8} {unit:6} limit {limit:g}", flush=True)


if __name__ == "__main__":
    main()
