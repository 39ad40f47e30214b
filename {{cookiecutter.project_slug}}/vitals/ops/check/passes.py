"""Passes of earlier checks: what passed on the very same inputs is not run again.

Inputs are all files that git does not ignore, the environment, Python, its packages, this folder
and this machine. Only documents are left out, for steps that don't read them: a list of what a
step reads would one day lack a file. Whatever can't be hashed is run. FRESH=1 runs everything.
"""

import hashlib
import json
import os
import re
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitals.ops.run import files, shell
from vitals.ops.run.steps import Refused

DOCUMENT = re.compile(r"(docs|changes)/.*|[^/]*\.md").fullmatch
# Differs between terminals and calls of make, and changes no result.
VOLATILE = re.compile(
    r"_|OLDPWD|PWD|SHLVL|FRESH|HELP|MAKE.*|MFLAGS|COLUMNS|LINES|TERM.*|TMUX.*|STY|WINDOW(ID)?"
    r"|SSH_.*|XDG_.*|DISPLAY|WAYLAND_.*|VTE_.*|VSCODE_.*|COLORTERM|PYTHONDONTWRITEBYTECODE"
).fullmatch
SERVICES = "requirements-services.txt"  # installed when a step first needs them
LAST_SECONDS = 7 * 86_400  # a result that depends on the clock is found within a week
MOST = 100


class Inputs:
    """The inputs of all steps as they are now. A new one is made to see whether they changed."""

    def __init__(self) -> None:
        self._surroundings = _surroundings()
        self._files: dict[str, str] | None = {}
        try:
            for file in files.of_the_repository():
                self._files[file] = _state(shell.ROOT / file)
        except (OSError, Refused, _Unknown):
            self._files = None

    def key(self, step: str, documents: bool = True, more: Callable[[], str] = str) -> str | None:
        """The hash of a step's inputs; None where one can't be hashed.

        `documents` says whether the step reads docs/, changes/ and the Markdown beside them, `more`
        returns what it depends on besides, such as the versions of servers.
        """
        if self._files is None:
            return None
        try:
            besides = more()
        except Refused:  # such as a server that does not answer: the step itself says so
            return None
        read = {f: state for f, state in self._files.items() if documents or not DOCUMENT(f)}
        text = json.dumps([step, besides, self._surroundings, read], sort_keys=True)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def find(key: str | None) -> Any:
    """What was stored with a pass on these inputs; None where there is none to rely on."""
    if key is None or os.environ.get("FRESH"):
        return None
    try:
        stored = json.loads(_file(key).read_text(encoding="utf-8"))
        age = time.time() - stored["at"]
        return stored["result"] if stored["key"] == key and 0 <= age < LAST_SECONDS else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def store(key: str | None, result: object) -> None:
    """Store a pass, and delete the oldest of too many. A full disk only costs the next run time."""
    if key is None:
        return
    folder = _file(key).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"key": key, "at": time.time(), "result": result})
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".new", delete=False) as aside:
            aside.write(text)
        Path(aside.name).replace(_file(key))
        files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
        for old in files[:-MOST]:
            old.unlink(missing_ok=True)
    except OSError:  # another run may delete the same files
        return


class _Unknown(Exception):
    """An input whose state can't be told."""


def _file(key: str) -> Path:
    return shell.ROOT / "build" / "passes" / f"{key}.json"


def _state(path: Path) -> str:
    """The content of a file and whether it may be run; of a link also where it leads."""
    link = str(path.readlink()) if path.is_symlink() else ""
    if path.is_file():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{content} {os.access(path, os.X_OK)} {link}"
    if path.exists() and not (link and shell.ROOT.resolve() in path.resolve().parents):
        raise _Unknown  # a submodule, or a folder elsewhere behind a link
    return f"no file {link}"  # deleted, or a link to nothing or to a folder whose files are listed


def _surroundings() -> list[str]:
    """The environment, Python, its packages, this folder and this machine."""
    given = (f"{n}={value}" for n, value in os.environ.items() if not VOLATILE(n))
    machine = Path("/etc/machine-id")
    return [
        *sorted(given),
        *(sys.version, sys.executable, str(shell.ROOT), str(os.getuid()), *os.uname()),
        machine.read_text() if machine.is_file() else "",
        *_packages(),
    ]


def _packages() -> list[str]:
    """The installed packages with the time of their installation, but those of the services."""
    lock = shell.ROOT / SERVICES
    pins = re.findall(r"^([\w.-]+)==", lock.read_text() if lock.is_file() else "", re.MULTILINE)
    later = {pin.replace("-", "_").lower() for pin in pins}
    with os.scandir(sysconfig.get_path("purelib")) as entries:
        return sorted(
            f"{entry.name} {entry.stat().st_mtime_ns}"
            for entry in entries
            if entry.name.endswith(".dist-info")
            and entry.name.partition("-")[0].lower() not in later
        )
