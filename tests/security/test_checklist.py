"""The security checklist in a generated project, run as a team runs it: `make security`.

That each check finds its faults is tested in tests/ops/security, on a project with all options.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests import baking
from tests.faults.service import Project
from tests.ops.security import runs


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Path:
    shutil.copytree(project.folder, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def look(copy: Path) -> runs.Look:
    done = baking.make(copy, "-s", "security")
    return runs.said(done.returncode, done.stdout)


def test_a_fresh_project_passes(copy: Path) -> None:
    seen = look(copy)

    assert (seen.code, seen.lines) == (0, []), seen.last


def test_without_the_example_there_is_nothing_to_test_until_the_first_path(copy: Path) -> None:
    removed = baking.make(copy, "-s", "remove-example")
    nothing = baking.make(copy, "-s", "security")
    main = copy / "app/main.py"
    route = '    app.get("/pages")(lambda limit: None)\n    vitals.install(\n'
    main.write_text(main.read_text().replace("    vitals.install(\n", route))
    done = baking.make(copy, "-s", "security")
    fix = re.findall(r"^SEC-101 .* Fix: .*, or (openapi_extra=[^;]*);", done.stdout, re.MULTILINE)
    main.write_text(main.read_text().replace('"/pages"', f'"/pages", {fix[0]}'))
    fixed = baking.make(copy, "-s", "security")

    assert (removed.returncode, nothing.returncode) == (0, 0), removed.stdout + nothing.stdout
    assert "nothing to test yet" in nothing.stdout
    assert re.findall(r"^SEC-\d+ [^;]*", done.stdout, re.MULTILINE) == [
        "SEC-101 GET /pages: does not say who may call it",
        "SEC-406 GET /pages limit: has no bound",
    ]
    assert "Traceback" not in done.stdout
    assert re.findall(r"^SEC-\d+ [^;]*", fixed.stdout, re.MULTILINE) == [
        "SEC-406 GET /pages limit: has no bound",
    ]
