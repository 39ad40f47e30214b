"""What does a throw-away staging consist of? Its secrets, its issuer, what lies behind, its place.

A module in `vitals.ops.deploy.targets` that can be rehearsed has a `stage`; its name is the mode.
"""

import importlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from vitals.ops.deploy.targets import Target
from vitals.ops.measure import load
from vitals.ops.project.token import Issuer, publish
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import shell

ENVIRONMENT = "staging"


class Stage(NamedTuple):
    target: Target
    front: Callable[[], str]
    rehearsed: str
    not_rehearsed: str


def raised(mode: str, folder: Path, issuer: Issuer) -> AbstractContextManager[Stage]:
    """A staging of that mode, with nothing deployed yet; all of it is gone after the block."""
    publish(folder / "issuer", issuer)
    module = importlib.import_module(f"vitals.ops.deploy.targets.{mode}")
    stage: AbstractContextManager[Stage] = module.stage(folder, issuer)
    return stage


def headers(release: Release, issuer: Issuer) -> dict[str, str]:
    """What a client sends that may write."""
    token = issuer.token(load.read(shell.ROOT).scopes, minutes=60)
    return {"Host": releases.host(release), "Authorization": f"Bearer {token}"}


def keep_secrets(folder: Path, release: Release, known: Mapping[str, str]) -> None:
    """Write a file for each secret that the release asks for: what is `known`, or a random one."""
    folder.mkdir(exist_ok=True)
    for name, file in releases.secret_files(release).items():
        if not (folder / file).exists():
            (folder / file).write_text(known.get(name) or secrets.token_urlsafe(32))
