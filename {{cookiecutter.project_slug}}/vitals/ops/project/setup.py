"""Set-up: builds .venv from the hash-checked lock, and installs the git hooks.

Runs with the machine's python3 before anything is installed: only the standard library, and up to
the check of the version only what an old Python can parse.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  the machine's python3 may be older
    sys.exit(
        "found Python {}.{}; expected 3.11 or newer. Fix: install a newer one, then "
        "`make setup PYTHON=python3.13`".format(*sys.version_info)
    )

import hashlib
import importlib.util
import re
import shlex
import shutil
from pathlib import Path

from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

VENV = shell.ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
DEVELOPMENT = shell.ROOT / "requirements-dev.txt"
UV = shell.ROOT / "requirements-uv.txt"
AGAIN = "repair what it says above, then run the same command again; downloads are kept"


def installed(requirements: Path) -> bool:
    """Whether .venv was completed from this lock, for this folder and this Python."""
    stamp = _stamp(requirements)
    if not VENV_PYTHON.exists() or not _uv():
        return False
    return stamp.exists() and stamp.read_text() == _wanted(requirements)


def mark_installed(requirements: Path) -> None:
    """Remember that .venv holds all of this lock: the last thing that an installation does."""
    _stamp(requirements).write_text(_wanted(requirements))


def uv() -> str:
    """The uv to use: the machine's, else the locked one in .venv.

    Raises `Refused` when there is neither.
    """
    found = _uv()
    if found is None:
        raise Refused("no uv, neither on PATH nor in .venv", fix="`make setup`")
    return found


def install(requirements: Path) -> None:
    """Add what a lock names to .venv, each file checked against its hash."""
    command = [uv(), "pip", "install", "--quiet", "--require-hashes"]
    with steps.waiting(f"  installing {requirements.name}"):
        _run([*command, "--python", VENV_PYTHON, "--requirement", requirements])
    mark_installed(requirements)


def build() -> None:
    """Make .venv anew; until the stamp is written it counts as not there."""
    if VENV.exists():
        shutil.rmtree(VENV)
    if shutil.which("uv"):
        _run(["uv", "venv", "--quiet", "--python", sys.executable, VENV])
    else:
        if importlib.util.find_spec("ensurepip") is None:
            found = f"{sys.executable} has no venv module"
            raise Refused(found, fix="install python3-venv, then `make setup`")
        pip = [VENV_PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
        with steps.waiting("  installing uv"):
            _run([sys.executable, "-m", "venv", VENV])
            _run([*pip, "--require-hashes", "--requirement", UV])
    (VENV / "chosen").write_text(sys.executable)  # the Makefile takes it from now on
    install(DEVELOPMENT)


def install_hooks() -> None:
    """Let git run the checks before each commit, where this folder is a repository of its own."""
    try:
        if not git.is_repository():
            return
    except Refused:  # git is missing, or does not read it: `make check` says so
        return
    hooks = shell.ROOT / git.git("rev-parse", "--git-path", "hooks")
    usual = shell.ROOT / git.git("rev-parse", "--git-common-dir") / "hooks"
    if hooks.resolve() != usual.resolve():
        steps.say(f"git hooks: left alone, core.hooksPath points to {hooks}")
    elif not (hooks / "pre-commit").exists() or _left_behind(hooks / "pre-commit"):
        made = shell.run([VENV_PYTHON, "-m", "pre_commit", "install"])
        why = made.output.rstrip().rpartition("\n")[2]
        steps.say(f"git hooks: {f'not installed, {why}' if made.code else 'installed'}")


def main() -> None:
    if not installed(DEVELOPMENT):
        steps.say("setting up .venv from requirements-dev.txt …")
        build()
    install_hooks()


def _left_behind(hook: Path) -> bool:
    """Whether it starts a Python that is gone, so that no commit succeeds: the folder was moved."""
    starts = re.search(r"^INSTALL_PYTHON=(.*)$", hook.read_text(errors="replace"), re.MULTILINE)
    return starts is not None and not Path(*shlex.split(starts[1])).exists()


def _uv() -> str | None:
    return shutil.which("uv") or shutil.which(VENV / "bin" / "uv")


def _run(command: list[str | Path]) -> None:
    finished = shell.run(command)
    if finished.code:
        raise Refused("set-up could not finish", fix=AGAIN, output=finished.output)


def _stamp(requirements: Path) -> Path:
    return VENV / f"installed-{requirements.stem}"


def _wanted(requirements: Path) -> str:
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{lock} {shell.ROOT} {sys.version_info.major}.{sys.version_info.minor}\n"


if __name__ == "__main__":
    steps.exit_with(main)
