"""What do the checks look at? All of it is gathered once, before the first check runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vitals.ops.check.security.containers import Container
from vitals.settings import Settings


class Answer(NamedTuple):
    """An answer of the running service; 0 if it closed the connection without one."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def header(self, name: str) -> str:
        """The values of a header; empty if it is not there."""
        return ", ".join(value for given, value in self.headers if given.lower() == name.lower())


@dataclass(frozen=True)
class Evidence:
    """What is known of the settings, the running service, the repository and its tools."""

    root: Path
    files: tuple[Path, ...]  # of the repository, relative to its root
    settings: Mapping[str, Settings]  # by environment, as they are resolved
    lines: Mapping[str, Mapping[str, str]]  # of the files in config/, by environment and name
    refused: tuple[str, ...]  # what the settings say to secrets that can be guessed
    answers: Mapping[str, Answer]  # by the names in requests.py
    operations: Mapping[str, Mapping[str, Any]]  # of OpenAPI, by method and path
    schemas: Mapping[str, Any]  # of OpenAPI
    log: str  # all that the service wrote
    canaries: Mapping[str, str]  # by the place where each was planted
    shown: str  # what `make config` shows
    containers: tuple[Container, ...]  # of the files in deploy/
    leaks: tuple[str, ...] = ()  # file:line of a secret
    leaks_in_history: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()  # what zizmor found
    advisories: tuple[str, ...] | None = field(default=None)  # None: not run

    def text(self, file: str | Path) -> str:
        """A file of the repository; empty if it is not there."""
        path = self.root / file
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
