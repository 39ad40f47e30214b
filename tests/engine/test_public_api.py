"""The public names of the engine: complete, described, and loaded when they are used."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vitals

SOURCE = ast.parse(Path(str(vitals.__file__)).read_text(encoding="utf-8"))


def imported_for_types() -> set[str]:
    [block] = [node for node in SOURCE.body if isinstance(node, ast.If)]
    found = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in found for alias in node.names}


def test_the_lazy_table_the_types_and_all_name_the_same() -> None:
    table = {f"{module}.{name}" for module, names in vitals._HOMES.items() for name in names}

    assert table == imported_for_types()
    assert sorted(name.rpartition(".")[2] for name in table) == sorted(vitals.__all__)
    assert len(set(vitals.__all__)) == len(vitals.__all__)


def test_every_name_is_there_in_its_own_module() -> None:
    for module, names in vitals._HOMES.items():
        for name in names:
            assert getattr(vitals, name) is getattr(sys.modules[module], name)


def test_every_public_name_that_can_have_one_has_a_docstring() -> None:
    described = [getattr(vitals, name) for name in vitals.__all__ if name != "PUBLIC"]

    undescribed = [
        value for value in described if not inspect.getdoc(value) or value.__doc__ is None
    ]
    assert undescribed == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'instal'"):
        vitals.instal  # noqa: B018


@pytest.mark.parametrize(
    "module", ["vitals", "vitals.settings", "vitals.ops.run.shell", "vitals.ops.run.steps"]
)
def test_shipping_imports_the_engine_without_the_framework(module: str) -> None:
    frameworks = {"fastapi", "starlette", "uvicorn", "opentelemetry", "sqlalchemy"}
    code = f"import sys, {module}; print(*sorted({frameworks} & sys.modules.keys()))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "\n"


def test_every_public_name_is_in_the_table_of_the_document() -> None:
    readme = Path(str(vitals.__file__)).with_name("README.md").read_text(encoding="utf-8")
    table = "".join(line for line in readme.splitlines() if line.startswith("| `vitals."))
    named = set(re.findall(r"`(?:vitals\.)?(\w+)`", table))

    assert set(vitals.__all__) - named == set()
