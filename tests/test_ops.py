"""Does the project's ops keep its promises in a project that holds the least of it, too?"""

import shutil
import subprocess
import sys

import pytest

from tests.baking import ROOT, VARIANTS, environment, generate

LEAST = {**VARIANTS["plain"], "deploy": "compose", "ci": "none"}
OF_OTHERS = [
    "targets/test_kubernetes.py",
    "test_clear_cache.py",
    "test_migration.py",
    "test_publish.py",
    "test_schema.py",
]


@pytest.mark.slow
def test_what_is_left_of_ops_passes_its_tests_where_least_was_chosen(tmp_path):
    project = generate(tmp_path, **LEAST)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)
    shutil.copytree(ROOT / "tests" / "ops", project / "tests" / "ops")
    shutil.copy(ROOT / "tests" / "baking.py", project / "tests")
    for name in OF_OTHERS:
        (project / "tests" / "ops" / name).unlink()

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/ops"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
