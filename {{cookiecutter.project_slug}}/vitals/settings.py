"""What can be set from outside, what is each setting for, and what refuses the start?

A setting is an environment variable: APP_ and the field's name in capitals. The text below it is
also that of the refusal. Only `__main__`, `main`, `layers`, `resources` and `server` read
settings; everything below them is handed plain values.
"""

import difflib
import re
import typing
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from vitals import setting_types
from vitals.setting_types import PLACEHOLDERS, REFERENCE

__all__ = ["PLACEHOLDERS", "REFERENCE", "Settings", "SettingsRefused", "load", "secret_names"]

PREFIX = "APP_"
IN_LOCAL = {"log_format": "text", "server_timing": "true", "docs": "true"}


class Settings(BaseModel):
    """Everything that may differ between two places where this service runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    environment: typing.Literal["local", "test", "staging", "production"] = Field("local")
    """where this runs"""
    version: str = Field("dev", min_length=1)
    """the released tag that this is built from"""
    commit: str = Field("unknown", min_length=1)
    """the commit that this is built from"""
    secrets_dir: Path = Field(Path("/run/secrets"))
    """the folder with one file for each secret://NAME"""

    host: str = Field("127.0.0.1", min_length=1)
    """the address to listen on"""
    port: int = Field(8000, ge=0, le=65535)
    """the port to listen on; 0 takes a free one"""
    max_connections: int = Field(1000, ge=10, le=100_000)
    """connections served at once; above it 503"""
    max_header_bytes: int = Field(32_768, ge=1_024, le=1_048_576)
    """request line and headers; above it 431"""
    max_body_bytes: int = Field(1_048_576, ge=1_024, le=104_857_600)
    """a request's body; above it 413"""
    request_read_seconds: float = Field(10, ge=0.1, le=300)
    """the time that a client has to send one whole request"""
    request_seconds: float = Field(15, ge=0.1, le=300)
    """the time that one request may take; after it 503"""
    keep_alive_seconds: int = Field(75, ge=1, le=600)
    """how long an idle connection stays; longer than at the proxy"""
    drain_seconds: float = Field(5, ge=0, le=300)
    """after SIGTERM: not ready but serving, until proxies noticed"""
    shutdown_seconds: float = Field(20, ge=0.1, le=300)
    """after the drain: the time for what is still running"""

    log_level: typing.Literal["debug", "info", "warning", "error"] = Field("info")
    """the least important line that is written"""
    log_format: typing.Literal["json", "text"] = Field("json")
    """json for machines, text for a terminal"""
    server_timing: bool = Field(False)
    """each request's vitals in a Server-Timing header"""
    docs: bool = Field(False)
    """serve /docs and /openapi.json"""
    ops_token: setting_types.Token = Field(SecretStr("placeholder-ops-token"), min_length=16)
    """opens the operators' paths"""
    # jinja: if cookiecutter.database

    database_url: typing.Annotated[
        setting_types.Secret, setting_types.url("postgresql", "sqlite")
    ] = Field(
        SecretStr("sqlite:///local.db"),
        examples=["postgresql://app:{password}@127.0.0.1:1/app"],
    )
    """postgresql://user:password@host:5432/name, or sqlite:///file"""
    database_pool_size: int = Field(10, ge=1, le=500)
    """connections to the database held by this process"""
    slow_query_ms: int = Field(200, ge=1, le=60_000)
    """a statement that takes longer is logged"""
    # jinja: endif
    # jinja: if cookiecutter.cache

    cache_url: typing.Annotated[
        setting_types.Secret, setting_types.url("mem", "redis", "rediss")
    ] = Field(
        SecretStr("mem://"),
        examples=["redis://app:{password}@127.0.0.1:1/0"],
    )
    """mem:// in this process, or redis://host:6379/0"""
    cache_ttl_seconds: int = Field(30, ge=1, le=86_400)
    """how old an answer from the cache may be"""
    # jinja: endif
    max_upload_bytes: int = Field(5_242_880, ge=1_024, le=104_857_600)
    """an uploaded file; above it 413"""
    allowed_hosts: setting_types.Hosts = Field(())
    """the hosts that are answered for; none: any"""
    cors_origins: setting_types.Origins = Field(())
    """the pages whose scripts may read our answers"""
    trusted_proxies: setting_types.Networks = Field(())
    """who is believed about a client's address and scheme"""
    auth: typing.Literal["off", "jwt"] = Field("off")
    """off lets everybody do everything; jwt asks for a token where one is due"""
    auth_issuer: setting_types.TokenRule = Field("", validate_default=True)
    """the iss of a good token"""
    auth_audience: setting_types.TokenRule = Field("", validate_default=True)
    """the aud of a good token"""
    auth_jwks_url: setting_types.KeyUrl = Field("", validate_default=True)
    """where the issuer's public keys are"""


class SettingsRefused(Exception):
    """Every fault of the settings at once, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables; a secret://NAME is read from its file.

    Raises SettingsRefused with all faults at once: unknown names, missing settings and secrets,
    wrong values, placeholders. The value of a secret is never shown.
    """
    fields = Settings.model_fields
    given = {n.removeprefix(PREFIX).lower(): v for n, v in environ.items() if n.startswith(PREFIX)}
    known = {name: value for name, value in given.items() if name in fields}
    faults = [_unknown(name) for name in given if name not in fields]
    if given.get("environment", "local") == "local":
        known = IN_LOCAL | known
    if given.get("environment") in ("staging", "production"):
        must = "not given; outside local and test it must be"
        faults += [
            f"{_variable(name)}: {must}: {field.description}"
            for name, field in fields.items()
            if name not in given
        ]
    try:
        settings = Settings.model_validate(known)
    except ValidationError as error:
        faults += [_wrong(str(e["loc"][0]), e["msg"], given) for e in error.errors()]
        raise SettingsRefused(faults) from None
    if faults:
        raise SettingsRefused(faults)
    return settings


def secret_names() -> list[str]:
    """The fields whose value may never be shown."""
    return [n for n, field in Settings.model_fields.items() if field.annotation is SecretStr]


def shown(settings: Settings) -> dict[str, str]:
    """Each setting as a variable; a secret's value is a row of asterisks."""
    return {
        _variable(name): ",".join(value) if isinstance(value, list) else str(value)
        for name, value in settings.model_dump(mode="json").items()
    }


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0)[0]
    nearest = f"the nearest is {_variable(near)}; rename or remove it"
    return f"{_variable(name)}: no such setting; {nearest}"


def _wrong(name: str, message: str, given: Mapping[str, str]) -> str:
    found = "this secret" if name in secret_names() else repr(given.get(name))
    expected = re.sub("^(Value error, |Input should be |Value should have )", "", message)
    purpose = Settings.model_fields[name].description
    return f"{_variable(name)}: found {found}; expected {expected}: {purpose}"


def _variable(name: str) -> str:
    return PREFIX + name.upper()
