"""Throw-away staging: what the rehearsal deploys to, with secrets and a token issuer of its own.

`targets.STAGINGS` names the modules that have a `throwaway_staging`, by mode.
"""

import importlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    folder: Path
    issuer: Issuer


def demanded_mode() -> str:
    """Return the rehearsal that pyproject.toml demands for a release: a mode, or "none"."""
    mode = str(project_file.table().get("rehearsal", "process"))
    if mode not in (modes := [*targets.rehearsable(), "none"]):
        found = f"rehearsal = {mode!r} in [tool.vitals] of pyproject.toml"
        raise Refused(found, " or ".join(modes), 'rehearsal = "process" there')
    return mode


@contextmanager
def start(mode: str, **settings: str) -> Iterator[ThrowawayStaging]:
    """Start a staging of that mode with nothing deployed; all of it is gone after the block.

    These settings replace those of a real staging, where the mode can do that.
    """
    module = importlib.import_module(f"{targets.__name__}.{targets.STAGINGS[mode]}")
    with tempfile.TemporaryDirectory(prefix="staging-", ignore_cleanup_errors=True) as private:
        publish(Path(private, "issuer"), issuer := Issuer())
        with module.throwaway_staging(Path(private), issuer, **settings) as staging:
            yield staging
