"""A command of a project's own: it passes the gates, and logs as the service does."""

import json
import subprocess
import sys

import pytest

from tests import baking

pytestmark = pytest.mark.slow

COMMAND = '''"""Counts the items: python -m app.commands.count."""

import sys

import vitals
from app.dependencies import build_dependencies
from app.settings import Settings


async def count(settings: Settings) -> None:
    """Count the items on the first page."""
    dependencies = build_dependencies(settings)
    async with vitals.open_dependencies(dependencies.all), vitals.unit("job", "count"):
        vitals.add_field("items", len(await dependencies.items.page(20, 0)))


if __name__ == "__main__":
    sys.exit(vitals.command(count, Settings))
'''
OTHER_FEATURE = "from app.dependencies import build_dependencies\n"


def test_a_command_uses_settings_dependencies_log_and_units_of_its_service(tmp_path):
    project = baking.generate(tmp_path, **baking.VARIANTS["plain"])
    (project / "app" / "commands").mkdir()
    (project / "app" / "commands" / "count.py").write_text(COMMAND)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        given = baking.environment(APP_ENVIRONMENT="local", APP_LOG_FORMAT="json")
        command = [sys.executable, "-m", *words]
        return subprocess.run(
            command, cwd=project, env=given, capture_output=True, text=True, timeout=120
        )

    layers = run("pytest", "-q", "-p", "no:cacheprovider", "tests/test_layers.py")
    lint = run("ruff", "check", "app")
    counted = run("app.commands.count")

    assert layers.returncode == 0, layers.stdout
    assert lint.returncode == 0, lint.stdout
    line = json.loads(counted.stdout)
    assert (counted.returncode, line["event"], line["job"], line["items"]) == (0, "job", "count", 0)
    assert line["outcome"] == "completed"


def test_a_feature_may_not_use_the_wiring(tmp_path):
    project = baking.generate(tmp_path, **baking.VARIANTS["plain"])
    with (project / "app" / "items" / "store.py").open("a") as store:
        store.write(OTHER_FEATURE)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_layers.py"],
        cwd=project,
        env=baking.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 1
    assert "app.items.store imports app.dependencies. Only app.__main__" in done.stdout
