"""The table [tool.vitals] of pyproject.toml, and the names of the service that it holds."""

import importlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

if TYPE_CHECKING:
    from vitals.settings import Settings

FILE = "pyproject.toml"


def table(folder: Path | None = None) -> dict[str, Any]:
    """What the project, or a release of it, says in [tool.vitals]; empty without such a table."""
    project = tomllib.loads(((folder or shell.ROOT) / FILE).read_text(encoding="utf-8"))
    named: dict[str, Any] = project.get("tool", {}).get("vitals", {})
    return named


def load(key: str) -> Any:
    """Import what the table names: `settings`, `application` or `metadata`.

    Raises `Refused` where the name is missing or leads nowhere.
    """
    name = str(table().get(key, ""))
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Refused(
            f"{FILE}, [tool.vitals] {key} = {name!r}: {error}",
            f'a name of your service, such as "app.{key}:{key}"',
        ) from error


def load_settings_type() -> "type[Settings]":
    settings_type: type[Settings] = load("settings")
    return settings_type
