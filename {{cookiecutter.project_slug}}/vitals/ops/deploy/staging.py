"""Throw-away staging: what the rehearsal deploys to, with secrets and a token issuer of its own.

`targets.STAGINGS` names the modules that have a `throwaway_staging`, by mode.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from vitals.ops.deploy import targets
from vitals.ops.deploy.targets import Target
from vitals.ops.project.token import Issuer, publish
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


def start(
    mode: str, folder: Path, issuer: Issuer, **settings: str
) -> AbstractContextManager[ThrowawayStaging]:
    """Start a staging of that mode with nothing deployed; all of it is gone after the block.

    These settings replace those of a real staging, where the mode can do that.
    """
    publish(folder / "issuer", issuer)
    module = importlib.import_module(f"{targets.__name__}.{targets.STAGINGS[mode]}")
    staging: AbstractContextManager[ThrowawayStaging]
    staging = module.throwaway_staging(folder, issuer, **settings)
    return staging
