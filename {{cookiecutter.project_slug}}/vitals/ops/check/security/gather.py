"""The evidence that the checks look at. The service and the tools run at the same time."""

import os
import re
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from vitals.ops.check import config
from vitals.ops.check.security import containers, secret_scan, tools
from vitals.ops.check.security.observe import Observed, dummy_secrets, observe
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import git, project_file, shell
from vitals.ops.run.steps import Refused
from vitals.settings import Settings, SettingsRefused, load

GENERATED = re.compile(r"\.git|\.venv|build|__pycache__|\..*_cache").fullmatch


class Evidence(NamedTuple):
    """What is known of the settings, the running service, the repository and its tools."""

    files: tuple[str, ...]  # of the repository
    settings: Mapping[str, Settings]  # by environment
    service: Observed
    containers: tuple[containers.Container, ...]  # of the files in deploy/
    secrets_in_files: tuple[str, ...]  # file:line of a secret
    secrets_in_history: tuple[str, ...]  # commits that added a secret
    workflows: tuple[str, ...]  # findings of zizmor
    advisories: tuple[str, ...] | None  # of pip-audit; None: not run

    def text(self, file: str) -> str:
        """A file of the repository; empty if it is not there."""
        path = shell.ROOT / file
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def gather() -> Evidence:
    """Look at everything. Raises Refused if the settings are refused or the service can't start."""
    configuration = Configuration(shell.ROOT)
    values = {name: configuration.values(name) for name in ENVIRONMENTS}
    settings = {name: _settings(name, given) for name, given in values.items()}
    files = files_of_the_repository()
    with ThreadPoolExecutor(3) as pool:
        service = pool.submit(observe, values["production"])
        audit = pool.submit(tools.advisories)
        linted = pool.submit(tools.workflows)
        return Evidence(
            files,
            settings,
            secrets_in_files=secret_scan.in_files(files),
            secrets_in_history=secret_scan.in_history(_last_release()) if _has_history() else (),
            containers=tuple(containers.found(shell.ROOT / "deploy")),
            service=service.result(),
            workflows=linted.result(),
            advisories=audit.result(),
        )


def files_of_the_repository() -> tuple[str, ...]:
    """The files that are, or would be, in the repository; without one, all but generated ones."""
    if git.is_repository():
        listed = git.git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
        return tuple(sorted(set(listed.split("\0")) - {""}))
    found = list[str]()
    for folder, inside, names in os.walk(shell.ROOT):
        inside[:] = [name for name in inside if not GENERATED(name)]
        found += [str(Path(folder, name).relative_to(shell.ROOT)) for name in names]
    return tuple(sorted(found))


def _settings(environment: str, given: Mapping[str, str]) -> Settings:
    """The settings of an environment, with dummy secrets."""
    with tempfile.TemporaryDirectory() as folder:
        secrets, _ = dummy_secrets(Path(folder))
        values = {**given, **secrets, **config.FROM_THE_IMAGE}
        try:
            return load(project_file.load_settings_type(), values)
        except SettingsRefused as refused:
            found, output = f"{environment}'s settings are refused", "\n".join(refused.faults)
            raise Refused(found, fix="see `make config`", output=output) from refused


def _has_history() -> bool:
    return git.is_repository() and git.succeeds("rev-parse", "--verify", "--quiet", "HEAD")


def _last_release() -> str:
    """The commits since the last tag of a version; all of them before the first."""
    if not git.succeeds("describe", "--tags", "--abbrev=0", "--match", "v*"):
        return ""
    return git.git("describe", "--tags", "--abbrev=0", "--match", "v*") + "..HEAD"
