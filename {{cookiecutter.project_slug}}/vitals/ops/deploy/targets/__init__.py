"""Deployment targets: each module in this folder is one kind, behind the same methods.

Two slots take turns: the live one gets the traffic, the other is started, tested and kept warm.
"""

import importlib
import tomllib
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Protocol

from vitals.ops.release.releases import Release
from vitals.ops.run import project_file, shell

# What a project has of each kind that it can be deployed to: the engine holds all kinds.
PLACES = {"compose": "deploy/compose.yaml", "kubernetes": "deploy/kubernetes"}


class Target(Protocol):
    @property
    def slots(self) -> tuple[str, str]:
        """The names of its two slots."""

    def open(self, release: Release, /) -> None:
        """Start what a release needs beside itself; what runs already is left as it is."""

    def state(self) -> tuple[str, str]:
        """Return the live slot and the text of the history; both are empty at first."""

    def prepare(self, release: Release, /) -> str | None:
        """Bring the release to the target, without starting it; return what was done."""

    def migrate(self, release: Release, /) -> None:
        """Migrate the schema, by the release's own files."""

    def start(self, release: Release, slot: str, /) -> None:
        """Start the release in a slot that gets no traffic; what runs there ends."""

    def running(self, slot: str, /) -> bool:
        """Whether what was started in the slot still runs."""

    def reach(self, slot: str, /) -> AbstractContextManager[str]:
        """Yield a private address of the slot, while the block lasts."""

    def log(self, slot: str, containing: str = "", /) -> str:
        """Return the last lines of its log that contain a text."""

    def stop(self, slot: str, /) -> None:
        """End what runs in the slot, if anything does."""

    def switch(self, slot: str, history: str, /) -> None:
        """Store the history, then give all traffic to the slot, atomically: no request is lost."""


def places() -> dict[str, ModuleType]:
    """Return the kinds of target that this project can be deployed to, by name."""
    here = [name for name, needed in PLACES.items() if (shell.ROOT / needed).exists()]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in here}


def rehearsable() -> list[str]:
    """Return the modes of a rehearsal: the modules with a `throwaway_staging`."""
    names = [name for name, module in places().items() if hasattr(module, "throwaway_staging")]
    return [*names, "process"]


def of_project(environment: str) -> Target:
    """Return the target that this project is deployed to."""
    target: Target = next(iter(places().values())).target(environment)
    return target


def project_name() -> str:
    """Return the name of this project, which its environments are named after."""
    file = shell.ROOT / project_file.FILE
    return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"])
