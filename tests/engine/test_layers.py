"""Imports inside the engine go downwards only, and nothing in it depends on an answer.

Levels (design.md, "Who may import whom"): what is installed > what a request meets > what lies
outside the process > foundations. A new file needs an entry: where does it belong?
"""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}"
LEVELS = (
    {"problems", "validation", "request_stats", "dependency", "probes", "units", "budget"}
    | {"settings", "settings_loader", "setting_types", "connection_url"}
    | {"framework", "route_index"},
    {"database", "database_engine", "database_errors", "transactions", "statements"}
    | {"migrations", "cache", "cache_stores", "adopted", "redis_commands"},
    {"status", "security", "health", "observability", "docs", "openapi"}
    | {"drain", "service", "snapshots"},
    {"installation", "engine", "outermost", "server", "commands", "options"},
    {"testing"},
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
DRIVERS = {"sqlalchemy", "alembic", "asyncpg", "aiosqlite", "redis", "jwt"}
WITH_DRIVERS = {
    "vitals.database",
    "vitals.database_engine",
    "vitals.database_errors",
    "vitals.migrations",
    "vitals.redis_commands",
    "vitals.statements",
    "vitals.transactions",
    "vitals.cache",
    "vitals.cache_stores",
    "vitals.security.jwks",
    "vitals.security.tokens",
}
# A service of its own, run beside the checks: it serves by the public API.
SERVICES = ("vitals.ops.check.security.defective",)
SOURCES = {
    ".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted((PROJECT / "vitals").rglob("*.py"))
}
# What shipping may import of the engine beside its settings, and why.
SHIPPING_ALLOWED = {
    "vitals.ops.deploy.lock_recorder": ["vitals.database_engine"],  # connects as a service does
    "vitals.ops.deploy.samples": ["vitals.probes"],  # a list of paths
}
SHIPPING = [name for name in SOURCES if name.startswith("vitals.ops")]
ENGINE = [name for name in SOURCES if name not in SHIPPING and name != "vitals"]
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in SOURCES.items()}


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """What import statements name: a module of the engine, or a package of others."""
    found = set[str]()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = str(node.module)
            names = {f"{module}.{alias.name}" for alias in node.names}
            found |= {name if name in SOURCES else module for name in names}
    return found


def at_any_time(module: str) -> set[str]:
    return imported(ast.walk(TREES[module]))


def at_once(module: str) -> set[str]:
    """What is imported with the module itself: not inside its functions."""

    def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child
                yield from outside_functions(child)

    return imported(outside_functions(TREES[module]))


def room(module: str) -> str:
    """The part of the engine that a module belongs to: its own name, or its folder's."""
    return module.split(".")[1]


def test_every_module_of_the_engine_has_a_level_and_every_level_its_modules() -> None:
    assert {room(module) for module in ENGINE} == LEVEL.keys()


@pytest.mark.parametrize("module", ENGINE)
def test_a_module_imports_from_its_own_level_and_below_only(module: str) -> None:
    ours = {name for name in at_any_time(module) if name.split(".")[0] == "vitals"}

    assert [name for name in ours if name not in ENGINE] == []  # not the package itself, nor ops
    assert [name for name in ours if LEVEL[room(name)] > LEVEL[room(module)]] == []


def test_the_map_of_the_engine_names_every_module_and_no_other() -> None:
    page = (PROJECT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("## Read the engine")[2].partition("\n## ")[0].partition("|---")[2]
    named = {name.rpartition("/")[2] for name in re.findall(r"`([a-z_/]+)`", table)}

    assert named == {SOURCES[name].stem for name in ENGINE} - {"__init__"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: at_any_time(name) & {*ENGINE} for name in ENGINE}

    TopologicalSorter(graph).prepare()


def test_no_parts_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module in ENGINE:
        needed = {room(name) for name in at_any_time(module) & {*ENGINE}}
        graph.setdefault(room(module), set()).update(needed - {room(module)})

    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", SOURCES)
def test_the_engine_never_imports_the_team(module: str) -> None:
    assert [name for name in at_any_time(module) if name.split(".")[0] in ("app", "tests")] == []


@pytest.mark.parametrize("module", SHIPPING)
def test_shipping_imports_of_the_engine_its_settings_only(module: str) -> None:
    ours = {name for name in at_any_time(module) if name.split(".")[0] == "vitals"}

    allowed = {"vitals.settings", *SHIPPING_ALLOWED.get(module, ())}
    assert ours - {*SHIPPING} <= allowed | ({"vitals"} if module in SERVICES else set())


def test_shipping_has_no_circle_either() -> None:
    TopologicalSorter({name: at_any_time(name) & {*SHIPPING} for name in SHIPPING}).prepare()


@pytest.mark.parametrize("module", [name for name in ENGINE if name not in WITH_DRIVERS])
def test_a_driver_is_imported_where_it_is_used_and_with_nothing_else(module: str) -> None:
    packages = {name.split(".")[0] for name in at_any_time(module)}

    assert packages & DRIVERS == set()
    assert at_once(module) & WITH_DRIVERS == set()


@pytest.mark.parametrize("module", ["vitals.database", "vitals.cache"])
def test_a_dependency_knows_no_observability_and_observability_no_dependency(module: str) -> None:
    knowing = {name for name in ENGINE if module in at_any_time(name)}

    assert knowing == set()
    assert "observability" not in {room(name) for name in at_any_time(module) & {*ENGINE}}


def test_no_file_of_the_engine_holds_an_answer_or_is_rendered() -> None:
    files = [file for file in (PROJECT / "vitals").rglob("*") if file.is_file()]
    texts = {
        file.relative_to(PROJECT): file.read_text(encoding="utf-8")
        for file in files
        if "__pycache__" not in file.parts
    }

    rendered = re.compile(r"cookiecutter\.(?!json\b)\w|# jinja|\{%")
    assert [name for name, text in texts.items() if rendered.search(text)] == []
    assert len(texts) > len(SOURCES)
