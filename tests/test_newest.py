"""A package whose newest version breaks projects is named, with the last version that works."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import newest
from tests.baking import VARIANTS, environment, generate, set_up

BROKEN = "raise ImportError('planted by the test')\n"


def release(index: Path, installed: Path, version: str, text: str) -> None:
    """Publish a version of a package of one file: a wheel in a folder that uv reads."""
    index.mkdir(exist_ok=True)
    about = f"{installed.name}-{version}.dist-info"
    name = installed.name.replace("_", "-")
    files = {file.name: file.read_text(encoding="utf-8") for file in installed.glob("*.py")}
    with zipfile.ZipFile(index / f"{installed.name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, content in {**files, "__init__.py": text + files["__init__.py"]}.items():
            wheel.writestr(f"{installed.name}/{file}", content)
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(f"{about}/RECORD", "")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    fresh = generate(tmp_path, **VARIANTS["plain"])
    set_up(fresh, f"PYTHON={sys.executable}")
    return fresh


def starts(project: Path) -> bool:
    set_up(project, f"PYTHON={sys.executable}")
    python = project / ".venv" / "bin" / "python"
    command = [python, "-c", "import app.main"]
    return subprocess.run(command, cwd=project, env=environment(), check=False).returncode == 0


@pytest.mark.slow
def test_the_first_release_that_breaks_is_named_and_the_one_before(project, tmp_path, monkeypatch):
    locked = newest.versions(project)
    [packages] = (project / ".venv" / "lib").glob("*/site-packages")
    doc, index = packages / "annotated_doc", tmp_path / "index"
    release(index, doc, "99.0", "")
    release(index, doc, "99.1", BROKEN)
    release(index, doc, "99.2", BROKEN)
    release(index, packages / "typing_inspection", "99.0", "")
    monkeypatch.setenv("UV_FIND_LINKS", str(index))

    found = newest.blame(project, locked, lambda: starts(project))

    assert found.startswith("annotated-doc 99.1 breaks it; the last version that works is 99.0.")


@pytest.mark.slow
def test_no_package_is_blamed_for_what_the_locks_break_too(project):
    (project / "app" / "main.py").write_text(BROKEN, encoding="utf-8")

    found = newest.blame(project, newest.versions(project), lambda: starts(project))

    assert found == "no package: it does not work on its own locks either"


@pytest.mark.slow
def test_no_package_is_blamed_for_what_works_when_it_is_tried_again(project):
    found = newest.blame(project, newest.versions(project), lambda: starts(project))

    assert found == "no package: it works when it is tried again"
