"""Throw-away staging: what the rehearsal deploys to, with secrets and a token issuer of its own.

A module in `vitals.ops.deploy.targets` that can be rehearsed has a `throwaway_staging`; its name is
the mode.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from vitals.ops.deploy import targets
from vitals.ops.deploy.targets import Target
from vitals.ops.project.token import Issuer, publish
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import project_file
from vitals.ops.run.steps import Refused

ENVIRONMENT = "staging"


class ThrowawayStaging(NamedTuple):
    target: Target
    proxy_url: Callable[[], str]
    rehearsed: str
    not_rehearsed: str


def demanded_mode() -> str:
    """Return the rehearsal that pyproject.toml demands for a release: a mode, or "none"."""
    mode = str(project_file.table().get("rehearsal", "process"))
    if mode not in (modes := [*targets.rehearsable(), "none"]):
        found = f"rehearsal = {mode!r} in [tool.vitals] of pyproject.toml"
        raise Refused(found, " or ".join(modes), 'rehearsal = "process" there')
    return mode


def start(mode: str, folder: Path, issuer: Issuer) -> AbstractContextManager[ThrowawayStaging]:
    """Start a staging of that mode with nothing deployed; all of it is gone after the block."""
    publish(folder / "issuer", issuer)
    module = importlib.import_module(f"{targets.__name__}.{mode}")
    staging: AbstractContextManager[ThrowawayStaging] = module.throwaway_staging(folder, issuer)
    return staging


def headers(release: Release, issuer: Issuer, scopes: str) -> dict[str, str]:
    """Return what a client sends whose token grants the scopes."""
    token = issuer.token(scopes, minutes=60)
    return {"Host": releases.host(release), "Authorization": f"Bearer {token}"}
