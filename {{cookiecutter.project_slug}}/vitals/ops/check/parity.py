"""Parity: Docker Compose and kustomize resolve the files of config/ as the service's checks do."""

from collections.abc import Iterator
from types import ModuleType

from vitals.ops.deploy import targets
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def compare(given: Configuration) -> str:
    """Name the targets that resolve the files alike, and those that are not installed.

    Raises `Refused` with every difference.
    """
    targets_here = targets.places().items()
    installed = {name: target for name, target in targets_here if _is_installed(target)}
    faults = [fault for item in installed.items() for fault in _differences(*item, given)]
    if faults:
        found = f"{len(faults)} settings that are resolved differently"
        raise Refused(found, "the same values everywhere", output="\n".join(faults))
    return "; ".join(
        f"{name} resolves them alike"
        if name in installed
        else f"{name} not compared: no `{' '.join(target.VERSION[:2])}` here"
        for name, target in targets_here
    )


def _differences(name: str, target: ModuleType, given: Configuration) -> Iterator[str]:
    for environment in ENVIRONMENTS:
        ours = given.values(environment)
        theirs = target.resolved_settings(given.root, environment)
        for setting in sorted(ours.keys() | theirs.keys()):
            if ours.get(setting) != theirs.get(setting):
                yield (
                    f"{environment}: {setting}: {name} resolves {theirs.get(setting)!r}; expected "
                    f"{ours.get(setting)!r}. Fix: see how deploy/ passes it on"
                )


def _is_installed(target: ModuleType) -> bool:
    try:
        return shell.run(target.VERSION).code == 0
    except Refused:
        return False
