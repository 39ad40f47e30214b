"""Imports inside `app`: which part may use which. A new feature needs no entry here.

app.main puts the features together, app.dependencies builds what lies outside the process; each
feature is a folder; what features share is a module beside them, such as app/tables.py.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE = {"vitals", "vitals.cache", "vitals.database", "vitals.testing", "vitals.validation"}
WIRING = {"app.__main__", "app.main", "app.dependencies"}
COMMANDS = "app.commands."  # workers, seeds and administrators' commands, each a start of its own
FEATURES = {file.parent.name for file in (ROOT / "app").glob("*/*.py")} - {"commands"}
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted((ROOT / "app").rglob("*.py"))
}

RELATIVE = "An import names the whole path. Fix: from app.… import …"
PRIVATE = f"app uses only the engine's public API. Fix: import from {', '.join(sorted(ENGINE))}"
UPWARDS = (
    "Only app.__main__, app.main, app.dependencies and app.commands.* know the wiring and the "
    "settings. "
    "Fix: take the store, client or value as an argument, and pass it in app/dependencies.py"
)
SIDEWAYS = (
    "Features don't import each other, and what they share doesn't import them. "
    "Fix: move what both need to a module beside the features, such as app/tables.py"
)


def imports(module: str) -> set[str]:
    """The modules of the service and of the engine that a module imports."""
    found = set[str]()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = "." * node.level + (node.module or "")
            names = {f"{parent}.{alias.name}" for alias in node.names}
            found |= {name for name in names if name in MODULES or is_engine(name)} or {parent}
    return {name for name in found if name.split(".")[0] in ("", "app", "vitals")}


def is_engine(name: str) -> bool:
    """Whether a name is that of a module of the engine, and not of something inside it."""
    path = ROOT.joinpath(*name.split("."))
    return name.startswith("vitals.") and (path.is_dir() or path.with_suffix(".py").exists())


def feature(module: str) -> str:
    """The feature that a module is part of, or an empty text."""
    name = module.removeprefix("app.").split(".")[0]
    return name if name in FEATURES else ""


def broken_rule(module: str, imported: str) -> str:
    """The rule that an import breaks, with the fix, or an empty text."""
    if imported.startswith("."):
        return RELATIVE
    if imported.startswith("vitals"):
        return "" if imported in ENGINE else PRIVATE
    if module in WIRING or module.startswith(COMMANDS):
        return ""
    if imported in {*WIRING, "app.settings"}:
        return UPWARDS
    return SIDEWAYS if feature(imported) not in ("", feature(module)) else ""


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_layer_may_use(module: str) -> None:
    faults = [
        f"{module} imports {imported}. {rule}"
        for imported in sorted(imports(module))
        if (rule := broken_rule(module, imported))
    ]

    assert not faults, "\n".join(faults)


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter({module: imports(module) & MODULES.keys() for module in MODULES}).prepare()
