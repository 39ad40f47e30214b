"""What can be set from outside, and what is each setting for?

A setting is an environment variable: APP_ and the field's name in capitals. Its description is
also the text of the refusal. Only `__main__`, `main`, `resources` and `server` read settings;
everything below them is handed plain values.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "APP_"
REFERENCE = "secret://"
IN_LOCAL = {"log_format": "text", "server_timing": "true", "docs": "true"}
PLACEHOLDERS = ("change", "example", "password", "placeholder")


def _url(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError("a URL that starts with " + " or ".join(f"{s}://" for s in schemes))
        return value

    return AfterValidator(check)


class Settings(BaseModel):
    """Everything that may differ between two places where this service runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Literal["local", "test", "staging", "production"] = Field(
        "local", description="where this runs"
    )
    version: str = Field(
        "dev", min_length=1, description="the released tag that this is built from"
    )
    commit: str = Field("unknown", min_length=1, description="the commit that this is built from")
    secrets_dir: Path = Field(
        Path("/run/secrets"), description="the folder with one file for each secret://NAME"
    )

    host: str = Field("127.0.0.1", min_length=1, description="the address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="the port to listen on; 0 takes a free one")
    max_connections: int = Field(
        1000, ge=10, le=100_000, description="connections served at once; above it 503"
    )
    max_header_bytes: int = Field(
        32_768, ge=1_024, le=1_048_576, description="request line and headers; above it 431"
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1_024, le=104_857_600, description="a request's body; above it 413"
    )
    request_read_seconds: float = Field(
        10, ge=0.1, le=300, description="the time that a client has to send one whole request"
    )
    request_seconds: float = Field(
        15, ge=0.1, le=300, description="the time that one request may take; after it 503"
    )
    keep_alive_seconds: int = Field(
        75, ge=1, le=600, description="how long an idle connection stays; longer than at the proxy"
    )
    drain_seconds: float = Field(
        5, ge=0, le=300, description="after SIGTERM: not ready but serving, until proxies noticed"
    )
    shutdown_seconds: float = Field(
        20, ge=0.1, le=300, description="after the drain: the time for what is still running"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least important line that is written"
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="json for machines, text for a terminal"
    )
    server_timing: bool = Field(
        False, description="each request's vitals in a Server-Timing header"
    )
    docs: bool = Field(False, description="serve /docs and /openapi.json")
    ops_token: SecretStr = Field(
        SecretStr("placeholder-ops-token"), min_length=16, description="opens the operators' paths"
    )
    # jinja: if cookiecutter.database

    database_url: Annotated[SecretStr, _url("postgresql", "sqlite")] = Field(
        SecretStr("sqlite:///local.db"),
        description="postgresql://user:password@host:5432/name, or sqlite:///file",
    )
    database_pool_size: int = Field(
        10, ge=1, le=500, description="connections to the database held by this process"
    )
    slow_query_ms: int = Field(
        200, ge=1, le=60_000, description="a statement that takes longer is logged"
    )
    # jinja: endif
    # jinja: if cookiecutter.cache

    cache_url: Annotated[SecretStr, _url("mem", "redis", "rediss")] = Field(
        SecretStr("mem://"), description="mem:// in this process, or redis://host:6379/0"
    )
    cache_ttl_seconds: int = Field(
        30, ge=1, le=86_400, description="how old an answer from the cache may be"
    )
    # jinja: endif


class SettingsRefused(Exception):
    """Every fault of the settings at once, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables.

    Raises SettingsRefused with all faults at once: unknown names, missing settings and secrets,
    wrong values, placeholders. The value of a secret is never shown.
    """
    given = {n.removeprefix(PREFIX).lower(): v for n, v in environ.items() if n.startswith(PREFIX)}
    known = {name: value for name, value in given.items() if name in Settings.model_fields}
    faults = [_unknown(name) for name in given if name not in known]
    faults += _resolve_secrets(known)
    if given.get("environment", "local") == "local":
        known = IN_LOCAL | known
    if given.get("environment") in ("staging", "production"):
        faults += [_missing(name) for name in Settings.model_fields if name not in given]
        faults += [_placeholder(name) for name in secret_names() if _is_placeholder(known, name)]
    try:
        settings = Settings.model_validate(known)
    except ValidationError as error:
        faults += [_wrong(str(e["loc"][0]), e["msg"], given) for e in error.errors()]
    if faults:
        raise SettingsRefused(faults)
    return settings


def secret_names() -> list[str]:
    """The fields whose value may never be shown."""
    return [n for n, field in Settings.model_fields.items() if field.annotation is SecretStr]


def _resolve_secrets(known: dict[str, str]) -> list[str]:
    """Put the text of each file that a secret://NAME stands for in its place."""
    folder = Path(known.get("secrets_dir", Settings.model_fields["secrets_dir"].default))
    faults = []
    for name in [n for n in secret_names() if known.get(n, "").startswith(REFERENCE)]:
        file = folder / known.pop(name).removeprefix(REFERENCE)
        try:
            known[name] = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not text"
            faults.append(f"{_env(name)}: {file}: {why}; expected {_purpose(name)}; put it there")
    return faults


def _is_placeholder(known: Mapping[str, str], name: str) -> bool:
    value = known.get(name, "")
    secret = (urlsplit(value).password or "") if "://" in value else value
    return any(word in secret.lower() for word in PLACEHOLDERS)


def _env(name: str) -> str:
    return PREFIX + name.upper()


def _purpose(name: str) -> str | None:
    return Settings.model_fields[name].description


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0)[0]
    return f"{_env(name)}: no such setting; the nearest is {_env(near)}; rename or remove it"


def _missing(name: str) -> str:
    return f"{_env(name)}: not given; outside local and test it must be: {_purpose(name)}"


def _placeholder(name: str) -> str:
    return f"{_env(name)}: found a placeholder; expected a real secret: {_purpose(name)}"


def _wrong(name: str, message: str, given: Mapping[str, str]) -> str:
    found = "this secret" if name in secret_names() else repr(given.get(name))
    expected = re.sub("^(Value error, |Input should be |Value should have )", "", message)
    return f"{_env(name)}: found {found}; expected {expected}: {_purpose(name)}"
