"""Deployment targets: each module in this folder is one kind, behind the same methods.

Two slots take turns: the live one gets the traffic, the other is started, tested and kept warm.
"""

import importlib
import tomllib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

from vitals.ops.deploy import history
from vitals.ops.deploy.history import Entry
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import project_file, shell

# What a project has of each kind that it can be deployed to: the engine holds all kinds.
PLACES = {"compose": "deploy/compose.yaml", "kubernetes": "deploy/kubernetes"}
# The modules that have a `throwaway_staging`, by the mode of a rehearsal.
STAGINGS = {"compose": "compose_staging", "process": "process"}


class Replica(NamedTuple):
    name: str
    url: str  # a private address
    limit_bytes: float = 0  # of its memory; 0: none is known


class Target(Protocol):
    @property
    def slots(self) -> tuple[str, str]:
        """The names of its two slots."""

    @property
    def releases(self) -> Path | None:
        """The folder that holds the files of its releases; None for this clone's."""

    def alone(self) -> AbstractContextManager[None]:
        """Keep other commands from changing it meanwhile. Raises `Refused` with who does."""

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

    def replicas(self, slot: str, /) -> AbstractContextManager[list[Replica]]:
        """Yield what runs in the slot, while the block lasts."""

    def token(self, file: str, /) -> str:
        """Return the operators' token, by the name of its secret's file."""

    def log(self, slot: str, containing: str = "", /) -> str:
        """Return the last lines of its log that contain a text."""

    def stop(self, slot: str, /) -> None:
        """End what runs in the slot, if anything does."""

    def switch(self, slot: str, history: str, /) -> None:
        """Store the history, then give all traffic to the slot, atomically: no request is lost."""

    def tidy(self, entries: Sequence[Entry], /) -> None:
        """End what only the switch needed, and remove what no rollback goes back to."""


def places() -> dict[str, ModuleType]:
    """Return the kinds of target that this project can be deployed to, by name."""
    here = [name for name, needed in PLACES.items() if (shell.ROOT / needed).exists()]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in here}


def rehearsable() -> list[str]:
    """Return the modes of a rehearsal: what this project is deployed to, and processes."""
    return [name for name in (*places(), "process") if name in STAGINGS]


def of_project(environment: str) -> Target:
    """Return the target that this project is deployed to."""
    target: Target = next(iter(places().values())).target(environment)
    return target


def entries(target: Target) -> list[Entry]:
    """Return the history of what went live there, the oldest first."""
    slot, text = target.state()
    return history.read(text, slot)


def release(target: Target, entry: Entry, environment: str) -> Release:
    """Return the release that an entry names, with its files."""
    build = Build(entry.version, entry.commit)
    release = releases.unpacked(build, environment, target.releases)
    return release._replace(image=entry.image)


def project_name() -> str:
    """Return the name of this project, which its environments are named after."""
    file = shell.ROOT / project_file.FILE
    return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"])
