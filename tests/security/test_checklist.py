"""The security checklist in a generated project, run as a team runs it: `make security`."""

import re
import shutil
from pathlib import Path

import pytest

from tests import baking
from tests.faults.service import Project
from tests.ops.security import planted

ALL = [*planted.ROUTE_FAULTS, *planted.SETTING_FAULTS, *planted.FILE_FAULTS]
FAULTS = [fault for fault in ALL if "requirements" not in fault.file]  # make installs those first


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Path:
    shutil.copytree(project.folder, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def test_a_fresh_project_passes(copy: Path) -> None:
    done = baking.make(copy, "-s", "security")

    assert done.returncode == 0, done.stdout


def test_planted_faults_are_found_by_their_checks(copy: Path) -> None:
    planted.apply(copy, FAULTS)

    done = baking.make(copy, "-s", "security")

    assert done.returncode != 0
    found = set(re.findall(r"^(SEC-\d+) ", done.stdout, re.MULTILINE))
    assert found == {id_ for fault in FAULTS for id_ in fault.finds}


def test_an_unguarded_route_is_named_with_the_line_to_add_and_without_a_traceback(
    copy: Path,
) -> None:
    planted.apply(copy, planted.NEVER_STARTS)

    done = baking.make(copy, "-s", "security")

    output = done.stdout
    assert "SEC-101 GET /says-nothing: does not say who may call it" in output
    assert "openapi_extra=vitals.PUBLIC" in output
    assert "Traceback" not in output


def test_without_the_example_there_is_nothing_to_test_until_the_first_path(copy: Path) -> None:
    removed = baking.make(copy, "-s", "remove-example")
    nothing = baking.make(copy, "-s", "security")
    first = next(fault for fault in planted.ROUTE_FAULTS if "GET /pages" in str(fault.finds))
    planted.apply(copy, [first])
    done = baking.make(copy, "-s", "security")

    assert (removed.returncode, nothing.returncode) == (0, 0), removed.stdout + nothing.stdout
    assert "nothing to test yet" in nothing.stdout
    assert re.findall(r"^SEC-\d+ [^;]*", done.stdout, re.MULTILINE) == [
        "SEC-406 GET /pages: limit may be 100000"
    ]
