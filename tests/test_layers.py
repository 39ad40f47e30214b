"""The rule for imports inside `app`, which a project's tests hold: it refuses what it should."""

import importlib.util
from types import ModuleType

import pytest

from tests.baking import IN_PLACE


@pytest.fixture(scope="module")
def layers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("layers", IN_PLACE / "tests" / "test_layers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("module", "statement", "rule"),
    [
        ("app.items.routes", "from .store import ItemStore", "RELATIVE"),
        ("app.items.routes", "from vitals import problems", "PRIVATE"),
        ("app.items.routes", "from vitals.problems import Problem", "PRIVATE"),
        ("app.main", "import vitals.ops.slo", "PRIVATE"),
        ("app.main", "from vitals.ops import slo", "PRIVATE"),
        ("app.items.routes", "from app.main import create_app", "UPWARDS"),
        ("app.items.routes", "from app.settings import Settings", "UPWARDS"),
        ("app.items.routes", "from app import dependencies", "UPWARDS"),
        ("app.tables", "from app.items.store import ItemStore", "SIDEWAYS"),
        ("app.orders.routes", "from app.items.store import ItemStore", "SIDEWAYS"),
        ("app.orders.routes", "from app import items", "SIDEWAYS"),
        ("app.items.routes", "from vitals import Problem", None),
        ("app.items.routes", "from app.tables import Base", None),
        ("app.items.routes", "from app.items.store import ItemStore", None),
        ("app.main", "from app.items import routes as items", None),
        ("app.dependencies", "from vitals.database import Database", None),
    ],
)
def test_an_import_across_the_layers_is_refused_by_its_rule(
    layers: ModuleType, tmp_path, monkeypatch, module: str, statement: str, rule: str | None
) -> None:
    file = tmp_path / "module.py"
    file.write_text(statement)
    monkeypatch.setitem(layers.MODULES, module, file)
    monkeypatch.setattr(layers, "FEATURES", {"items", "orders"})

    (imported,) = layers.imports(module)

    assert layers.broken_rule(module, imported) == (getattr(layers, rule) if rule else "")


def test_each_rule_names_its_fix(layers: ModuleType) -> None:
    rules = [layers.RELATIVE, layers.PRIVATE, layers.UPWARDS, layers.SIDEWAYS]

    assert [rule for rule in rules if "Fix: " not in rule] == []
