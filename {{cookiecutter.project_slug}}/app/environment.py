"""How do environment variables become settings, and what refuses the start?

A setting is a variable: APP_ and the field's name in capitals. All faults are told at once.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

PREFIX = "APP_"
REFERENCE = "secret://"
IN_LOCAL = {"log_format": "text", "server_timing": "true", "docs": "true"}
PLACEHOLDERS = ("change", "example", "password", "placeholder")

Model = TypeVar("Model", bound=BaseModel)


class SettingsRefused(Exception):
    """Every fault of the settings at once, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read(model: type[Model], environ: Mapping[str, str]) -> Model:
    """Make the settings that `model` describes from environment variables.

    Raises SettingsRefused with all faults at once: unknown names, missing settings and secrets,
    wrong values, placeholders. The value of a secret is never shown.
    """
    fields = Fields(model)
    given = {n.removeprefix(PREFIX).lower(): v for n, v in environ.items() if n.startswith(PREFIX)}
    known = {name: value for name, value in given.items() if name in model.model_fields}
    faults = [fields.unknown(name) for name in given if name not in known]
    faults += fields.resolve_secrets(known)
    if given.get("environment", "local") == "local":
        known = IN_LOCAL | known
    if given.get("environment") in ("staging", "production"):
        faults += [fields.missing(name) for name in model.model_fields if name not in given]
        secrets = secret_names(model)
        faults += [fields.placeholder(name) for name in secrets if _is_placeholder(known, name)]
    settings = None
    try:
        settings = model.model_validate(known)
    except ValidationError as error:
        found = {str(e["loc"][0]): e["msg"] for e in reversed(error.errors())}  # one for each
        faults += [fields.wrong(name, found[name], given) for name in reversed(found)]
    if faults or settings is None:
        raise SettingsRefused(faults)
    return settings


def secret_names(model: type[BaseModel]) -> list[str]:
    """The fields whose value may never be shown."""
    return [n for n, field in model.model_fields.items() if field.annotation is SecretStr]


def shown(settings: BaseModel) -> dict[str, str]:
    """Each setting as a variable; a secret's value is a row of asterisks."""
    values = settings.model_dump(mode="json").items()
    return {
        PREFIX + name.upper(): ",".join(value) if isinstance(value, list) else str(value)
        for name, value in values
    }


class Fields:
    """The refusals of one model's fields."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._fields = model.model_fields
        self._secrets = secret_names(model)

    def resolve_secrets(self, known: dict[str, str]) -> list[str]:
        """Put the text of each file that a secret://NAME stands for in its place."""
        folder = Path(known.get("secrets_dir", self._fields["secrets_dir"].default))
        faults = []
        for name in [n for n in self._secrets if known.get(n, "").startswith(REFERENCE)]:
            file = folder / known.pop(name).removeprefix(REFERENCE)
            try:
                known[name] = file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "not text"
                expected = f"expected {self._purpose(name)}; put it there"
                faults.append(f"{_env(name)}: {file}: {why}; {expected}")
        return faults

    def unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._fields, n=1, cutoff=0)[0]
        return f"{_env(name)}: no such setting; the nearest is {_env(near)}; rename or remove it"

    def missing(self, name: str) -> str:
        must = "outside local and test it must be"
        return f"{_env(name)}: not given; {must}: {self._purpose(name)}"

    def placeholder(self, name: str) -> str:
        expected = f"expected a real secret: {self._purpose(name)}"
        return f"{_env(name)}: found a placeholder; {expected}"

    def wrong(self, name: str, message: str, given: Mapping[str, str]) -> str:
        found = "this secret" if name in self._secrets else repr(given.get(name))
        expected = re.sub("^(Value error, |Input should be |Value should have )", "", message)
        return f"{_env(name)}: found {found}; expected {expected}: {self._purpose(name)}"

    def _purpose(self, name: str) -> str | None:
        return self._fields[name].description


def _is_placeholder(known: Mapping[str, str], name: str) -> bool:
    value = known.get(name, "")
    secret = (urlsplit(value).password or "") if "://" in value else value
    return any(word in secret.lower() for word in PLACEHOLDERS)


def _env(name: str) -> str:
    return PREFIX + name.upper()
