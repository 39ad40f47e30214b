"""Does `make security` find what is broken in the code itself, and nothing else?"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import baking
from tests.faults.service import Project

DEFECTS = {  # file: (what stands there, what somebody made of it, the check that finds it)
    "vitals/security/headers.py": [('    "X-Frame-Options": "DENY",\n', "", "SEC-302")],
    "vitals/server/serve.py": [("server_header=False", "server_header=True", "SEC-309")],
    "vitals/security/tokens.py": [
        ("audience=self._audience,", "audience=None,", ""),
        ('{"require": ["exp", "iss", "aud"]}', '{"verify_aud": False}', "SEC-110"),
    ],
    "vitals/validation.py": [('extra="forbid"', 'extra="ignore"', "SEC-409")],
    "config/common.env": [("APP_MAX_BODY_BYTES=1048576", "APP_MAX_BODY_BYTES=90000000", "SEC-413")],
    "requirements.txt": [(" \\\n    --hash=sha256:", "\n    # sha256:", "SEC-601")],
    "deploy/compose.yaml": [("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "SEC-613")],
}


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Path:
    shutil.copytree(project.folder, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def broken(folder: Path, defects: dict[str, list[tuple[str, str, str]]]) -> set[str]:
    """Break it; returns the checks that have to find it."""
    for name, changes in defects.items():
        text = (folder / name).read_text(encoding="utf-8")
        for was, is_now, _ in changes:
            assert was in text, f"{name} does not hold {was!r}"
            text = text.replace(was, is_now, 1)
        (folder / name).write_text(text, encoding="utf-8")
    return {found for changes in defects.values() for _, _, found in changes if found}


def look(project: Project, folder: Path) -> tuple[int, str]:
    """The exit code of the checklist in a copy, and what it says."""
    done = subprocess.run(
        [project.python, "-m", "vitals.ops.check.security"],
        cwd=folder,
        env=baking.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_fresh_project_passes(project: Project, copy: Path) -> None:
    code, said = look(project, copy)

    assert code == 0, said


def test_every_defect_is_found_by_its_check_and_no_other_says_anything(
    project: Project, copy: Path
) -> None:
    expected = broken(copy, DEFECTS)

    code, said = look(project, copy)

    assert code == 1
    assert set(re.findall(r"^(SEC-\d+)", said, re.MULTILINE)) == expected, said


def test_a_forgotten_guard_stops_the_start(project: Project, copy: Path) -> None:
    forgotten = (", status_code=204, dependencies=writers)", ", status_code=204)", "")
    broken(copy, {"app/items/routes.py": [forgotten]})

    code, said = look(project, copy)

    assert code == 1
    assert "DELETE /items/{item_id}: states nothing; expected who may call it" in said
