"""The reading of settings from environment variables: every fault at once, no secret shown."""

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

PREFIX = "APP_"
REFERENCE = "secret://"
PLACEHOLDERS = ("change", "example", "password", "placeholder")
DEPLOYED = ("staging", "production")
# There every setting is required but these.
OPTIONAL = ("secrets_dir", "docs", "server_timing", "max_body_bytes")
DEFAULTS = {  # of an environment, where they differ from those of the fields
    "local": {"log_format": "text", "server_timing": "true", "docs": "true"},
    "staging": {"server_timing": "true"},
}
FOR_TOKENS = ("auth_issuer", "auth_audience", "auth_jwks_url")  # required by APP_AUTH=jwt
AnySettings = TypeVar("AnySettings", bound=BaseModel)


class SettingsRefused(Exception):
    """The start is refused: every fault at once, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(settings_type: type[AnySettings], environ: Mapping[str, str]) -> AnySettings:
    """Read settings from environment variables; a secret://NAME is read from its file.

    Raises SettingsRefused with all faults at once: unknown names, missing settings and secrets,
    wrong values, placeholders. The value of a secret is never shown.
    """
    fields = settings_type.model_fields
    given = {n.removeprefix(PREFIX).lower(): v for n, v in environ.items() if n.startswith(PREFIX)}
    environment = given.get("environment", "")
    values = DEFAULTS.get(environment, {}) | {n: v for n, v in given.items() if n in fields}
    faults = [_unknown(name, settings_type) for name in given if name not in fields]
    faults += _required_by_others(settings_type, environment, given)
    faults += _read_secrets(settings_type, values)
    if environment in DEPLOYED:
        faults += _placeholders(settings_type, values)
    try:
        settings = settings_type.model_validate(values)
    except ValidationError as error:
        for each in error.errors():
            if not each["loc"]:  # a validator of the whole
                faults.append(each["msg"].removeprefix("Value error, "))
                continue
            name = str(each["loc"][0])
            if each["type"] != "missing":
                faults.append(_wrong(settings_type, name, each["msg"], given.get(name)))
            elif environment not in DEPLOYED and name not in given:
                faults.append(_required(settings_type, name, _choices(settings_type, name)))
        raise SettingsRefused(faults) from None
    if faults:
        raise SettingsRefused(faults)
    return settings


def secret_names(settings_type: type[BaseModel]) -> list[str]:
    """The fields whose value may never be shown."""
    fields = settings_type.model_fields.items()
    return [name for name, field in fields if _is_secret(field.annotation)]


def _is_secret(annotation: Any) -> bool:
    """Whether a type is a secret or holds one: optional, annotated, in a list."""
    return annotation in (SecretStr, SecretBytes) or any(map(_is_secret, get_args(annotation)))


def redacted(settings: BaseModel) -> dict[str, str]:
    """Each setting as a variable; a secret's value is a row of asterisks."""
    return {
        _variable(name): ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in settings.model_dump(mode="json").items()
    }


# What depends on another setting is judged here, on the texts as they were given: the order of
# fields, which follows the order of a subclass's bases, must not matter.


def _required_by_others(
    settings_type: type[BaseModel], environment: str, given: Mapping[str, str]
) -> Iterator[str]:
    for name in settings_type.model_fields:
        if name in FOR_TOKENS and given.get("auth") == "jwt" and not given.get(name):
            yield _required(settings_type, name, f" because {PREFIX}AUTH is jwt")
        elif environment in DEPLOYED and name not in given and name not in OPTIONAL:
            yield _required(settings_type, name, " in staging and production")


def _read_secrets(settings_type: type[BaseModel], values: dict[str, str]) -> Iterator[str]:
    """Put the text of its file in the place of each secret://NAME; leave out what has none."""
    folder = Path(values.get("secrets_dir", settings_type.model_fields["secrets_dir"].default))
    for name in secret_names(settings_type):
        if not values.get(name, "").startswith(REFERENCE):
            continue
        file = folder / values.pop(name).removeprefix(REFERENCE)
        try:
            values[name] = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = (getattr(error, "strerror", None) or "not text").lower()
            fix = f"create it, or point {PREFIX}SECRETS_DIR elsewhere"
            yield f"{_variable(name)}: cannot read {file}: {reason}. Fix: {fix}"


def _placeholders(settings_type: type[BaseModel], values: Mapping[str, str]) -> Iterator[str]:
    for name in secret_names(settings_type):
        secret = values.get(name, "")
        with suppress(ValueError):  # of a URL only the password counts
            secret = (urlsplit(secret).password or "") if "://" in secret else secret
        if any(word in secret.lower() for word in PLACEHOLDERS):
            yield _wrong(settings_type, name, "a real one, no placeholder", None)


def _unknown(name: str, settings_type: type[BaseModel]) -> str:
    closest = difflib.get_close_matches(name, settings_type.model_fields, n=1, cutoff=0)[0]
    found = f"{_variable(name)}: no such setting; the closest is {_variable(closest)}"
    return f"{found}. Fix: rename or remove it"


def _required(settings_type: type[BaseModel], name: str, when: str) -> str:
    return f"{_variable(name)}: required{when} ({settings_type.model_fields[name].description})"


def _choices(settings_type: type[BaseModel], name: str) -> str:
    annotation = settings_type.model_fields[name].annotation
    is_choice = get_origin(annotation) is Literal
    return f", one of {', '.join(get_args(annotation))}" if is_choice else ", it has no default"


def _wrong(settings_type: type[BaseModel], name: str, message: str, value: str | None) -> str:
    found = "a secret (not shown)" if name in secret_names(settings_type) else repr(value)
    expected = re.sub("^(Value error, |Input should be |Value should have )", "", message)
    purpose = settings_type.model_fields[name].description
    return f"{_variable(name)}: found {found}; expected {expected} ({purpose})"


def _variable(name: str) -> str:
    return PREFIX + name.upper()
