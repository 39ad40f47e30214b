"""The settings of every service: names, types, limits and purposes.

A setting is an environment variable: APP_ and the field's name in capitals. The docstring
below a field is its description, also in error messages. A service adds its own in a subclass.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from vitals import setting_types
from vitals.settings_loader import PLACEHOLDERS as PLACEHOLDERS
from vitals.settings_loader import PREFIX as PREFIX
from vitals.settings_loader import REFERENCE as REFERENCE
from vitals.settings_loader import SettingsRefused as SettingsRefused
from vitals.settings_loader import load as load
from vitals.settings_loader import redacted as redacted
from vitals.settings_loader import secret_names as secret_names


class Settings(BaseModel):
    """What every service can set. Values are read by `load`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    environment: Literal["local", "test", "staging", "production"]
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
    max_body_bytes: int = Field(262_144, ge=1_024, le=104_857_600)
    """a request's body; above it 413"""
    max_upload_bytes: int = Field(5_242_880, ge=1_024, le=104_857_600)
    """a body that is a form, a file or another type than JSON; above it 413"""
    request_read_seconds: float = Field(10, ge=0.1, le=300)
    """the time that a client has to send one whole request"""
    request_seconds: float = Field(15, ge=0.1, le=300)
    """the time that one request may take; after it 503"""
    keep_alive_seconds: int = Field(75, ge=1, le=600)
    """how long an idle connection stays; longer than at the proxy"""
    drain_seconds: float = Field(5, ge=0, le=300)
    """after SIGTERM: still serving but not ready, so that proxies stop sending"""
    shutdown_seconds: float = Field(20, ge=0.1, le=300)
    """after the drain: the time for running requests to finish"""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info")
    """the least important line that is written"""
    log_format: Literal["json", "text"] = Field("json")
    """json for log collectors, text for a terminal"""
    server_timing: bool = Field(False)
    """each request's vitals in a Server-Timing header"""
    docs: bool = Field(False)
    """serve /docs and /openapi.json"""
    ops_token: setting_types.Token = Field(SecretStr("placeholder-ops-token"), min_length=16)
    """the token for the operators' paths"""

    allowed_hosts: setting_types.HostNames = Field(())
    """the host names that this service answers to; none: any"""
    cors_origins: setting_types.Origins = Field(())
    """the origins of web pages that may call this service (CORS)"""
    cors_headers: setting_types.HeaderNames = Field(
        "Authorization,Content-Type,Idempotency-Key,If-Match,If-None-Match,Range,X-API-Key,"
        "X-Request-ID,baggage,traceparent,tracestate",
        validate_default=True,
    )
    """the request headers that these pages may send"""
    trusted_proxies: setting_types.Networks = Field(())
    """the proxies that may report the client's address and scheme (X-Forwarded-For, -Proto)"""
    auth: Literal["off", "jwt"] = Field("off")
    """off lets everyone do everything, in local and test only; jwt requires tokens"""
    auth_issuer: str = Field("")
    """the issuer (iss) of valid tokens"""
    auth_audience: str = Field("")
    """the audience (aud) of valid tokens"""
    auth_jwks_url: setting_types.KeyUrl = Field("")
    """where the issuer's public keys are"""


class DatabaseSettings(Settings):
    """Settings of a service with a database."""

    database_url: Annotated[SecretStr, setting_types.url("postgresql", "postgres", "sqlite")] = (
        Field(
            SecretStr("sqlite:///local.db"),
            examples=["postgresql://app:{password}@127.0.0.1:1/app"],
        )
    )
    """postgresql://user:password@host:5432/name as a cloud gives it, or sqlite:///file"""
    database_pool_size: int = Field(10, ge=1, le=500)
    """connections to the database held by this process"""
    slow_query_ms: int = Field(200, ge=1, le=60_000)
    """a statement that takes longer is logged"""


class CacheSettings(Settings):
    """Settings of a service with a cache."""

    cache_url: Annotated[SecretStr, setting_types.url("mem", "redis", "rediss")] = Field(
        SecretStr("mem://"), examples=["redis://app:{password}@127.0.0.1:1/0"]
    )
    """mem:// in this process, or redis://host:6379/0"""
    cache_ttl_seconds: int = Field(30, ge=1, le=86_400)
    """how long a value stays in the cache"""
