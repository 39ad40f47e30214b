import json
from pathlib import Path

import pytest

from vitals.ops.check import engine
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose engine has two files, as its MANIFEST says."""
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    for name in ("cache.py", "ops/run/steps.py", "__pycache__/cache.cpython-311.pyc"):
        (tmp_path / "vitals" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "vitals" / name).write_text(name)
    (tmp_path / ".vitals.json").write_text(json.dumps({"version": "v0.3.0"}))
    engine.write()
    return tmp_path


def test_an_untouched_engine_is_unchanged_and_has_the_version_of_the_template(
    project: Path,
) -> None:
    assert engine.check(project) == "v0.3.0, unchanged"


def test_each_file_that_differs_is_named_with_how_it_does(project: Path) -> None:
    (project / "vitals" / "cache.py").write_text("patched")
    (project / "vitals" / "ops" / "run" / "steps.py").unlink()
    (project / "vitals" / "own.py").touch()

    said = "edited: vitals/cache.py; missing: vitals/ops/run/steps.py; unknown: vitals/own.py"
    assert engine.check(project) == f"v0.3.0, {said}"


def test_a_project_of_no_released_template_says_so(project: Path) -> None:
    (project / ".vitals.json").write_text(json.dumps({"version": ""}))

    assert engine.check(project) == "no version, unchanged"


def test_a_missing_manifest_is_refused(project: Path) -> None:
    (project / "vitals" / "MANIFEST").unlink()

    with pytest.raises(Refused, match="git checkout HEAD -- vitals/MANIFEST"):
        engine.check(project)


def test_the_manifest_is_one_that_sha256sum_reads(project: Path) -> None:
    assert (
        shell.run(["sha256sum", "--check", "--strict", project / "vitals" / "MANIFEST"]).code == 0
    )
