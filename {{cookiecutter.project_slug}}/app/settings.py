"""What can be set from outside, and what is each setting for?

A setting is an environment variable: APP_ and the field's name in capitals. Its description is
also the text of the refusal. Only `__main__`, `main`, `layers`, `resources` and `server` read
settings; everything below them is handed plain values.
"""

import typing
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app import environment, values
from app.environment import PLACEHOLDERS, PREFIX, REFERENCE, SettingsRefused

__all__ = ["PLACEHOLDERS", "PREFIX", "REFERENCE", "Settings", "SettingsRefused", "load"]


class Settings(BaseModel):
    """Everything that may differ between two places where this service runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: typing.Literal["local", "test", "staging", "production"] = Field(
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

    log_level: typing.Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least important line that is written"
    )
    log_format: typing.Literal["json", "text"] = Field(
        "json", description="json for machines, text for a terminal"
    )
    server_timing: bool = Field(
        False, description="each request's vitals in a Server-Timing header"
    )
    docs: bool = Field(False, description="serve /docs and /openapi.json")
    ops_token: values.Token = Field(
        SecretStr("placeholder-ops-token"), min_length=16, description="opens the operators' paths"
    )
    # jinja: if cookiecutter.database

    database_url: typing.Annotated[SecretStr, values.url("postgresql", "sqlite")] = Field(
        SecretStr("sqlite:///local.db"),
        description="postgresql://user:password@host:5432/name, or sqlite:///file",
        examples=["postgresql://app:{password}@127.0.0.1:1/app"],
    )
    database_pool_size: int = Field(
        10, ge=1, le=500, description="connections to the database held by this process"
    )
    slow_query_ms: int = Field(
        200, ge=1, le=60_000, description="a statement that takes longer is logged"
    )
    # jinja: endif
    # jinja: if cookiecutter.cache

    cache_url: typing.Annotated[SecretStr, values.url("mem", "redis", "rediss")] = Field(
        SecretStr("mem://"),
        description="mem:// in this process, or redis://host:6379/0",
        examples=["redis://app:{password}@127.0.0.1:1/0"],
    )
    cache_ttl_seconds: int = Field(
        30, ge=1, le=86_400, description="how old an answer from the cache may be"
    )
    # jinja: endif
    max_upload_bytes: int = Field(
        5_242_880, ge=1_024, le=104_857_600, description="an uploaded file; above it 413"
    )
    allowed_hosts: values.Hosts = Field(
        (), description="the hosts that are answered for; none: any"
    )
    cors_origins: values.Origins = Field(
        (), description="the pages whose scripts may read our answers"
    )
    trusted_proxies: values.Networks = Field(
        (), description="who is believed about a client's address and scheme"
    )
    auth: typing.Literal["off", "jwt"] = Field(
        "off", description="off lets everybody do everything; jwt asks for a token where one is due"
    )
    auth_issuer: values.TokenRule = Field(
        "", description="the iss of a good token", validate_default=True
    )
    auth_audience: values.TokenRule = Field(
        "", description="the aud of a good token", validate_default=True
    )
    auth_jwks_url: values.KeyUrl = Field(
        "", description="where the issuer's public keys are", validate_default=True
    )


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables. Raises SettingsRefused with all faults."""
    return environment.read(Settings, environ)


def secret_names() -> list[str]:
    """The fields whose value may never be shown."""
    return environment.secret_names(Settings)
