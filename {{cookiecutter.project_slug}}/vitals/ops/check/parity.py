"""Parity: Docker Compose and kustomize resolve the files of config/ as the service's checks do."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import yaml

from vitals.ops.deploy import targets
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused
from vitals.settings import REFERENCE

COMPOSE, KUBERNETES = "deploy/compose.yaml", "deploy/kubernetes"
ALL = {"secret": {"name": "secrets"}}  # the Secret that has them all


def compare(given: Configuration) -> str:
    """Name the targets that resolve the files alike, and those that are not installed.

    Raises `Refused` with every difference.
    """
    targets_here = targets.places().items()
    installed = {name: each for name, each in targets_here if _version(each) is not None}
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


def secrets_that_do_not_arrive(given: Configuration) -> Iterator[Refused]:
    """Docker Compose hands each secret over by its name; a cluster mounts all of them."""
    for file in sorted((given.root / KUBERNETES).rglob("*.yaml")):
        for each in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            pod = each.get("spec", {}).get("template", {}).get("spec", {})
            yield from _not_mounted(pod, given, str(file.relative_to(given.root)))
    if not (file := given.root / COMPOSE).exists():
        return
    compose = yaml.safe_load(file.read_text(encoding="utf-8"))
    places = {"x-app, secrets": compose["x-app"]["secrets"], "secrets": compose["secrets"]}
    places["x-throw-away"] = compose["x-throw-away"]
    for line in given.lines():
        name = line.value.removeprefix(REFERENCE)
        if name != line.value and (
            missing := [p for p, names in places.items() if name not in names]
        ):
            found = f"{line.where}: {line.name}={line.value} does not reach the container"
            yield Refused(found, f"{name} in {COMPOSE}", f"add it to {'; '.join(missing)}")


def _not_mounted(pod: dict[str, Any], given: Configuration, file: str) -> Iterator[Refused]:
    folder = given.values("production").get("APP_SECRETS_DIR", "/run/secrets")
    whole = {"secretName", "defaultMode"}  # `items` would leave a new one out
    volumes = [
        volume["name"]
        for volume in pod.get("volumes", ())
        if {*volume.get("secret", "x")} <= whole
        or ALL in volume.get("projected", {}).get("sources", ())
    ]
    for each in pod.get("containers", ()):
        mounts = each.get("volumeMounts", ())
        if not any(m["name"] in volumes and m["mountPath"] == folder for m in mounts):
            found = f"{file}: the secrets do not reach the container {each['name']}"
            yield Refused(found, f"all of the Secret, in {folder}", "mount it there")


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


def versions() -> str:
    """What the programs that resolve the files say of their versions."""
    return "\n".join(_version(target) or "" for target in targets.places().values())


def _version(target: ModuleType) -> str | None:
    """What the target's program says of its version; None where it is not installed."""
    try:
        return shell.check_output(target.VERSION)
    except Refused:
        return None
