"""Parity: Docker Compose and kustomize resolve the files of config/ as the service's checks do."""

from collections.abc import Iterator
from types import ModuleType

from vitals.ops.deploy import targets
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def compared(given: Configuration) -> str:
    """Name the targets that resolve the files as we do, and those that are not installed.

    Raises `Refused` with every difference.
    """
    said: list[str] = []
    faults: list[str] = []
    for name, target in targets.places().items():
        if _is_installed(target):
            faults += differences(name, target, given)
            said.append(f"{name} resolves them alike")
        else:
            said.append(f"{name} not compared: no `{' '.join(target.VERSION[:2])}` here")
    if faults:
        found = f"{len(faults)} settings that are resolved differently"
        raise Refused(found, "the same values everywhere", output="\n".join(faults))
    return "; ".join(said)


def differences(name: str, target: ModuleType, given: Configuration) -> Iterator[str]:
    """Where a target resolves a setting differently."""
    for environment in ENVIRONMENTS:
        ours = given.values(environment)
        theirs = target.handed_over(given.root, environment)
        for setting in sorted(ours.keys() | theirs.keys()):
            if ours.get(setting) != theirs.get(setting):
                yield (
                    f"{environment}: {setting}: {name} resolves {theirs.get(setting)!r}; expected "
                    f"{ours.get(setting)!r}; see how deploy/ passes it on"
                )


def _is_installed(target: ModuleType) -> bool:
    try:
        return shell.run(target.VERSION).code == 0
    except Refused:
        return False
