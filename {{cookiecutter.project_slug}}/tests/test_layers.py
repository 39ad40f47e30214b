"""Do imports only go downwards? The levels, and what may know Settings.

A new file is a resource and a new folder a feature: they need no entry here.
"""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEVELS = {
    "app.__main__": 7,
    "vitals.server.serve": 6,
    "app.main": 5,
    "vitals.install": 4,
    "app.dependencies": 4,
    "vitals.health": 1,
    "vitals.observability": 1,
    "vitals.security": 1,
    "vitals.status": 1,
    "vitals.settings": 0,
    "vitals.problems": 0,
    "vitals.database_engine": 0,
    "vitals.request_stats": 0,
    "vitals.health.checks": 0,
    "vitals.setting_types": -1,
}
FEATURE, RESOURCE = 3, 2
SHARED = "vitals.request_stats"  # said on level 0, too
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file
    for package in ("app", "ops")
    for file in sorted((ROOT / package).rglob("*.py"))
    if file.name != "__init__.py"
}


def room(module: str) -> str:
    """The part of the house that a module belongs to: itself, or its folder in app/."""
    return module if module in LEVELS else ".".join(module.split(".")[:2])


def level(module: str) -> int:
    default = FEATURE if (ROOT / "app" / room(module).split(".")[-1]).is_dir() else RESOURCE
    return LEVELS.get(room(module), default)


@cache
def imports(module: str) -> list[str]:
    """The modules of ours that a module imports."""
    found = list[str]()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{a.name}" for a in node.names] + [str(node.module)]
        else:
            continue
        found += [name for name in names if name in MODULES]
    return found


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("app.")])
def test_a_module_imports_only_from_below(module: str) -> None:
    wrong = [
        name
        for name in imports(module)
        if name != SHARED and room(name) != room(module) and level(name) >= level(module)
    ]

    assert wrong == []


def test_settings_are_known_from_resources_upwards_only() -> None:
    knowing = {n for n in MODULES if "vitals.settings" in imports(n) and n.startswith("app.")}

    assert {name for name in knowing if level(name) < LEVELS["app.dependencies"]} == set()


def test_the_service_does_not_know_how_it_is_shipped() -> None:
    sold = {n: [i for i in imports(n) if i.startswith("ops")] for n in MODULES if "app." in n}

    assert {name: found for name, found in sold.items() if found} == {}


def test_shipping_knows_of_the_service_its_settings_only() -> None:
    known = {i for n in MODULES if n.startswith("ops.") for i in imports(n) if "app." in i}

    assert known <= {"vitals.settings"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter({module: set(imports(module)) for module in MODULES}).prepare()
