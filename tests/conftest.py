"""Which tests are slow by their folder, and which of the fast ones count for coverage."""

from pathlib import Path

import pytest

SLOW_FOLDERS = ("containers", "databases", "faults", "pictures", "release", "security", "update")
SHARED = ("databases", "pictures", "security")  # its tests share servers that take long to start
FAST = "security/test_engine.py"
COVERS = ("engine", "ops")
REPEATS = (  # many cases of lines that other tests cover
    "engine/test_layers.py",
    "engine/test_settings_bases.py",
    "ops/test_watch_rule.py",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make test` doesn't even import slow modules: each of its processes would."""
    folder, _, module = str(collection_path.relative_to(Path(__file__).parent)).partition("/")
    slow = module.startswith("test_") and folder in SLOW_FOLDERS and f"{folder}/{module}" != FAST
    return True if slow and config.option.markexpr == "not slow" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = item.nodeid.partition("::")[0].removeprefix("tests/")
        folder = name.partition("/")[0]
        if folder in SLOW_FOLDERS and name != FAST:
            item.add_marker(pytest.mark.slow)
            if folder in SHARED:
                item.add_marker(pytest.mark.xdist_group(folder))
        if folder not in COVERS or name in REPEATS:
            item.add_marker(pytest.mark.no_cover)  # tracing doubles the time of a test
