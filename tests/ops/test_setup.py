import ast
import subprocess
from pathlib import Path

import pytest

from vitals.ops.project import setup
from vitals.ops.run import shell

OLD = """
import runpy, sys
sys.version_info = (3, 9, 1, "final", 0)
runpy.run_module("vitals.ops.project.setup", run_name="__main__")
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock that was installed into a .venv of its own."""
    monkeypatch.setattr("vitals.ops.project.setup.VENV", tmp_path)
    monkeypatch.setattr("vitals.ops.project.setup.VENV_PYTHON", Path(shell.PYTHON))
    monkeypatch.setattr("vitals.ops.project.setup._uv", lambda: "uv")
    lock = tmp_path / "requirements-dev.txt"
    lock.write_text("httpx==1.0\n")
    setup.mark_installed(lock)
    return lock


def test_an_old_python_is_refused_in_one_line_with_the_fix() -> None:
    refused = subprocess.run(
        [shell.PYTHON, "-c", OLD], cwd=shell.ROOT, capture_output=True, text=True, check=False
    )

    assert refused.returncode == 1
    assert refused.stderr == (
        "found Python 3.9; expected 3.11 or newer. Fix: install a newer one, then "
        "`make setup PYTHON=python3.13`\n"
    )


@pytest.mark.parametrize("package", ["", "ops", "ops/project", "ops/project/setup.py"])
def test_an_old_python_can_parse_all_files_up_to_its_refusal(package: str) -> None:
    path = shell.ROOT / "vitals" / package
    file = path if path.is_file() else path / "__init__.py"

    ast.parse(file.read_text(), feature_version=(3, 7))


def test_what_was_installed_is_not_installed_again(lock: Path) -> None:
    assert setup.installed(lock)


def test_a_changed_lock_is_installed_again(lock: Path) -> None:
    lock.write_text("httpx==2.0\n")

    assert not setup.installed(lock)


def test_an_installation_that_was_interrupted_counts_as_none(lock: Path) -> None:
    (lock.parent / "installed-requirements-dev").unlink()

    assert not setup.installed(lock)


def test_a_moved_folder_is_set_up_again(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", Path("/elsewhere"))

    assert not setup.installed(lock)


def test_a_missing_venv_module_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitals.ops.project.setup.VENV", tmp_path / ".venv")
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(setup.Refused, match="install python3-venv"):
        setup.build()


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What set-up starts, with a .venv of its own; nothing is really run."""
    commands: list[str] = []

    def run(command: list[str | Path]) -> shell.Finished:
        commands.append(" ".join(map(str, command)))
        (tmp_path / ".venv").mkdir(exist_ok=True)
        return shell.Finished(1 if "broken" in commands[0] else 0, "no route to host")

    monkeypatch.setattr("vitals.ops.project.setup.VENV", tmp_path / ".venv")
    monkeypatch.setattr(
        "vitals.ops.project.setup.VENV_PYTHON", tmp_path / ".venv" / "bin" / "python"
    )
    monkeypatch.setattr("vitals.ops.project.setup._uv", lambda: "uv")
    monkeypatch.setattr("vitals.ops.run.shell.run", run)
    return commands


def test_the_uv_of_the_machine_does_all_the_work(
    started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/uv")

    setup.build()

    assert [command.split()[:2] for command in started] == [["uv", "venv"], ["uv", "pip"]]
    assert "--require-hashes" in started[1]


def test_without_a_uv_the_locked_one_is_installed_first(
    started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)

    setup.build()

    venv, pip, uv = started
    assert venv.endswith("-m venv " + str(setup.VENV))
    assert "--require-hashes" in pip
    assert pip.endswith("requirements-uv.txt")
    assert uv.startswith("uv pip install")


def test_a_failed_installation_is_refused_with_its_reason_and_counts_as_none(
    started: list[str],
) -> None:
    started.append("broken")

    with pytest.raises(setup.Refused) as refused:
        setup.install(setup.DEVELOPMENT)

    assert "run the same command again" in refused.value.fix
    assert refused.value.output == "no route to host"
    assert not setup.installed(setup.DEVELOPMENT)


def test_a_folder_that_is_no_repository_gets_no_hooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)

    setup.install_hooks()

    assert capsys.readouterr().out == ""


def test_hooks_kept_elsewhere_are_left_alone(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", repository)
    subprocess.run(["git", "config", "core.hooksPath", "mine"], cwd=repository, check=True)

    setup.install_hooks()

    assert "left alone" in capsys.readouterr().out


@pytest.fixture
def hook(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the hook of a repository of its own comes to lie."""
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", repository)
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", repository)
    monkeypatch.setattr("vitals.ops.project.setup.VENV_PYTHON", Path(shell.PYTHON))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    return repository / ".git" / "hooks" / "pre-commit"


def test_a_repository_of_its_own_gets_the_hooks(hook: Path) -> None:
    setup.install_hooks()

    assert hook.exists()


def test_a_hook_whose_python_is_gone_is_renewed(hook: Path) -> None:
    setup.install_hooks()
    whole = hook.read_text()
    moved = whole.replace(f"INSTALL_PYTHON={shell.PYTHON}", "INSTALL_PYTHON='/no longer/python'")
    hook.write_text(moved)

    setup.install_hooks()

    assert moved != whole
    assert hook.read_text() == whole


def test_a_hook_of_ones_own_is_left_alone(hook: Path) -> None:
    hook.write_text("#!/bin/sh\n")

    setup.install_hooks()

    assert hook.read_text() == "#!/bin/sh\n"


def test_a_home_that_cannot_be_written_costs_only_the_hooks(
    hook: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "file" / "inside"))

    setup.install_hooks()

    assert not hook.exists()
    assert "git hooks: not installed, NotADirectoryError" in capsys.readouterr().out
