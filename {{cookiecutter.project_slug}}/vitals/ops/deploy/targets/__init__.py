"""Where does a release run? Each module in this folder is one kind of place, behind the same verbs.

Two slots take turns: the live one gets the traffic, the other one is started, tried, and kept warm.
"""

import importlib
import pkgutil
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Protocol

from vitals.ops.release.releases import Release


class Target(Protocol):
    @property
    def slots(self) -> tuple[str, str]:
        """The names of its two slots."""

    def open(self, release: Release, /) -> None:
        """Have there what a release needs beside itself; what is there is left as it is."""

    def state(self) -> tuple[str, str]:
        """The slot that gets the traffic, and the text of the trail; both empty at first."""

    def prepare(self, release: Release, /) -> str | None:
        """Bring the release to the place, without starting it; return what there was to do."""

    def migrate(self, release: Release, /) -> None:
        """Bring the schema forward."""

    def start(self, release: Release, slot: str, /) -> None:
        """Start the release in a slot that gets no traffic, in place of what is there."""

    def running(self, slot: str, /) -> bool:
        """Whether what was started there still runs."""

    def reach(self, slot: str, /) -> AbstractContextManager[str]:
        """The address at which only we reach the slot, while the block lasts."""

    def log(self, slot: str, /) -> str:
        """What it said last."""

    def stop(self, slot: str, /) -> None:
        """End what runs there, if anything does."""

    def switch(self, slot: str, trail: str, /) -> None:
        """Keep the trail, then give all traffic to the slot: in one act, losing no request."""


def places() -> dict[str, ModuleType]:
    """The kinds of place that this project can be deployed to, by name."""
    names = {module.name for module in pkgutil.iter_modules(__path__)} - {"process"}
    return {name: importlib.import_module(f"{__name__}.{name}") for name in sorted(names)}


def rehearsable() -> list[str]:
    """The kinds of place that a rehearsal can play: the modules with a `stage`."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [n for n in names if hasattr(importlib.import_module(f"{__name__}.{n}"), "stage")]


def here(environment: str) -> Target:
    """The place that this project is deployed to."""
    module = next(iter(places().values()))
    target: Target = module.target(environment)
    return target
