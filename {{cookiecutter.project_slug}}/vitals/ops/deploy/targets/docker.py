"""Docker's command line: what compose.yaml says, and which containers there are."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

FILE = Path("deploy", "compose.yaml")


def containers() -> list[str]:
    """Return the names of all containers on this host, running or not."""
    return shell.check_output(["docker", "ps", "--all", "--format", "{{.Names}}"]).split()


def inspected(name: str, template: str) -> str:
    """Return what a template says of a container or an image; nothing where there is none."""
    with suppress(Refused):
        return shell.check_output(["docker", "inspect", "--format", template, name]).strip()
    return ""


def read(root: Path, environment: str) -> dict[str, Any]:
    """Return compose.yaml as compose reads it."""
    profiles = ("--profile", "app", "--profile", environment)
    words = [*command(root / FILE), *profiles, "config", "--format", "json"]
    found: dict[str, Any] = json.loads(shell.check_output(words, {"ENVIRONMENT": environment}))
    return found


def command(*files: Path) -> list[str | Path]:
    """Return the beginning of a compose command."""
    return ["docker", "compose", *(word for file in files for word in ("--file", file))]
