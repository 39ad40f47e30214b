"""The folder of an environment on its host: `/var/lib/<name>/<environment>`, or below `state`.

It holds the proxy's configuration, the unpacked releases and the lock, so that any user and any
clone of the project can deploy. Containers read it: modes never depend on the umask.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitals.ops.deploy import history
from vitals.ops.deploy.targets import project_name
from vitals.ops.run import project_file
from vitals.ops.run.steps import Refused

FOLDER_MODE, FILE_MODE = 0o2775, 0o664  # for a group that deploys, and readable for containers
HOLDER = "holder"


def folder(environment: str) -> Path:
    """Return where the folder is, or will be."""
    root = str(project_file.table().get("state") or f"/var/lib/{project_name()}")
    return Path(root, environment)


def make(folder: Path) -> None:
    """Make the folder if there is none. Raises `Refused` where we may not write there."""
    try:
        for each in (folder.parent, folder):
            if not each.is_dir():
                each.mkdir()
                each.chmod(FOLDER_MODE)
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}", *_way(folder)) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"{folder} can't be written by {history.user()}", *_way(folder))


def write(file: Path, text: str) -> None:
    """Write a file for all to read, at once or not at all."""
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.chmod(FILE_MODE)
    aside.replace(file)


@contextmanager
def alone(folder: Path, who: str) -> Iterator[None]:
    """Lock the folder: one command at a time changes an environment. It ends with its holder.

    Raises `Refused` with the holder when there is one, and where we may not write there.
    """
    make(folder)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = (folder / HOLDER).read_text() if (folder / HOLDER).exists() else "somebody"
            found = f"{folder.name} is being changed: {holder}"
            raise Refused(found, fix="wait for its end, then repeat the command") from error
        write(folder / HOLDER, who)
        yield
    finally:
        os.close(lock)


def _way(folder: Path) -> tuple[str, str]:
    make = f"sudo install -d -m 2775 -o $USER -g $(id -gn) {folder.parent} {folder}"
    return "a folder that those who deploy can write", f"`{make}`"
