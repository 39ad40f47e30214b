"""Does the container get what config/ says? Who deploys is asked how it reads them."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from vitals.ops.deploy import targets
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def compared(root: Path) -> str:
    """Say who reads the files in `root` as we do, and who could not be asked.

    Raises `Refused` with every difference.
    """
    said: list[str] = []
    faults: list[str] = []
    for name, place in targets.places().items():
        if _is_here(place):
            faults += differences(name, place, root)
            said.append(f"{name} reads the same")
        else:
            said.append(f"{name} was not asked: no `{' '.join(place.VERSION[:2])}` here")
    if faults:
        raise Refused("another configuration would be handed over", output="\n".join(faults))
    return "; ".join(said)


def differences(name: str, place: ModuleType, root: Path) -> Iterator[str]:
    """Where the place's own reading differs from ours."""
    for environment in ENVIRONMENTS:
        ours = Configuration(root).values(environment)
        theirs = place.handed_over(root, environment)
        for setting in sorted(ours.keys() | theirs.keys()):
            if ours.get(setting) != theirs.get(setting):
                yield (
                    f"{environment}: {setting}: {name} reads {theirs.get(setting)!r}; expected "
                    f"{ours.get(setting)!r}; see how deploy/ hands it over"
                )


def _is_here(place: ModuleType) -> bool:
    try:
        return shell.run(place.VERSION).code == 0
    except Refused:
        return False
