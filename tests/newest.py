"""Newest packages: finds the package that breaks a project, and its last version that works.

Pins the runtime dependencies again and again; the tools that check the project keep their
versions where these fit.
"""

import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from vitals.ops.project import lock, setup
from vitals.ops.run import shell

RUNTIME, DEVELOPMENT = lock.LOCKS[:2]


def versions(project: Path) -> dict[str, Version]:
    """The locked versions of the service; the newest where they depend on the Python version."""
    found: dict[str, Version] = {}
    for line in (project / RUNTIME.file).read_text(encoding="utf-8").splitlines():
        if "==" in line:
            pin = Requirement(line.rstrip(" \\"))
            version = Version(str(pin.specifier).removeprefix("=="))
            found[pin.name] = max(version, found.get(pin.name, version))
    return found


def pin(project: Path, resolution: str, bounds: dict[str, str] | None = None) -> dict[str, Version]:
    """Lock the service's packages again; return the versions.

    `resolution` is uv's: `highest`, or `lowest-direct` for the minimum of pyproject.toml.
    `bounds` limit packages: `{"idna": "<=3.20"}`.
    """
    runtime = project / RUNTIME.file
    runtime.unlink()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(f"{name}{bound}\n" for name, bound in (bounds or {}).items())
        constraints.flush()
        source = [project / "pyproject.toml", "--resolution", resolution]
        given = ["--constraint", constraints.name, "--output-file", runtime]
        shell.check_output([setup.uv(), "pip", "compile", *source, *lock.OPTIONS.split(), *given])
    lock.write(project, DEVELOPMENT)
    return versions(project)


def blame(project: Path, locked: dict[str, Version], works: Callable[[], bool]) -> str:
    """Name the package that breaks a project, and its last version that works.

    `locked` are the original versions; `works` tests the project as it is pinned then.
    """
    newest = pin(project, "highest")
    moved = sorted(
        (name for name in newest if newest[name] > locked.get(name, newest[name])),
        key=set(direct(project)).__contains__,  # last: their own dependencies change only with them
    )

    def held(count: int) -> dict[str, str]:
        return {name: f"<={locked[name]}" for name in moved[count:]}

    def works_with(count: int) -> bool:
        pin(project, "highest", held(count))
        return works()

    if not works_with(0):
        return "no package: it does not work on its own locks either"
    if not moved or works_with(len(moved)):
        return "no package: it works when it is tried again"
    good, broken = 0, len(moved)
    while broken - good > 1:
        candidate = (good + broken) // 2
        good, broken = (candidate, broken) if works_with(candidate) else (good, candidate)
    return last_that_works(project, moved[good], held(broken), works)


def last_that_works(
    project: Path, name: str, held: dict[str, str], works: Callable[[], bool]
) -> str:
    """Go back from the newest version of a package, which is broken, release by release."""

    def before(version: Version) -> Version:
        return pin(project, "highest", {**held, name: f"<{version}"})[name]

    broken = pin(project, "highest", held)[name]
    found = before(broken)
    while not works():
        broken, found = found, before(found)
    return (
        f"{name} {broken} breaks it; the last version that works is {found}. "
        f'Fix: "{name}<{broken}" in pyproject.toml until one works again'
    )


def direct(project: Path) -> list[str]:
    """The direct dependencies of the service."""
    file = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return [canonicalize_name(Requirement(line).name) for line in file["project"]["dependencies"]]
