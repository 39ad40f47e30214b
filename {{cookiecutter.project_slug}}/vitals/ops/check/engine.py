"""The engine's files, held against vitals/MANIFEST: names those that were edited.

A team may patch the engine, so an edited file is reported, not refused. `write` renews the
MANIFEST: that is for the template, never for a project.
"""

import hashlib
import json
import sys
from pathlib import Path

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

FOLDER = "vitals"
MANIFEST = "vitals/MANIFEST"
RECORD = ".vitals.json"


def sums(root: Path) -> dict[str, str]:
    """The SHA-256 of each of the engine's files, by its path; caches are left out."""
    files = sorted(path for path in (root / FOLDER).rglob("*") if path.is_file())
    named = {path.relative_to(root).as_posix(): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(named.items())
        if name != MANIFEST and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def text(root: Path) -> str:
    """What the MANIFEST of the files in `root` must be; `sha256sum --check` reads it too."""
    return "".join(f"{digest}  {name}\n" for name, digest in sums(root).items())


def changes(root: Path) -> list[str]:
    """Which files differ from the MANIFEST, and how. Raises `Refused` where there is none."""
    try:
        lines = (root / MANIFEST).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        fix = f"`git checkout HEAD -- {MANIFEST}`"
        raise Refused(f"{MANIFEST}: {error.strerror}", "the engine's checksums", fix) from error
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    here = sums(root)
    edited = [name for name in here.keys() & listed.keys() if here[name] != listed[name]]
    kinds = {"edited": edited, "missing": listed.keys() - here, "unknown": here.keys() - listed}
    return [f"{kind}: {', '.join(sorted(names))}" for kind, names in kinds.items() if names]


def version(root: Path) -> str:
    """The template's version that this project came from."""
    try:
        return str(json.loads((root / RECORD).read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError):
        return ""


def check(root: Path) -> str:
    """The engine's version, and what differs from it."""
    return f"{version(root) or 'no version'}, {'; '.join(changes(root)) or 'unchanged'}"


def write() -> None:
    """Write the MANIFEST anew."""
    (shell.ROOT / MANIFEST).write_text(text(shell.ROOT), encoding="utf-8")


if __name__ == "__main__":
    steps.exit_with(write if sys.argv[1:] == ["write"] else lambda: steps.say(check(shell.ROOT)))
