"""The arguments of `vitals.install`, completed."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitals.dependency import Check, Dependency
from vitals.problems import ErrorResponse
from vitals.security.callers import Verify
from vitals.settings import Settings
from vitals.status.reporter import Section


@dataclass(frozen=True)
class Options:
    """The arguments; `own` says that `settings` were given."""

    settings: Settings
    own: bool
    name: str
    dependencies: tuple[Dependency, ...]
    checks: Iterable[Check]
    required: Collection[str]
    runbook: str
    prefix: str
    folder: Path | None
    index: bool
    problems: bool
    guard: bool
    security: bool
    reraise: bool
    guards: Collection[Callable[..., Any]]
    public: Collection[str]
    verify: Verify | None
    scopes_claim: str
    error_response: ErrorResponse | None
    sections: Mapping[str, Section]

    def jwt_verify(self) -> Verify | None:
        """What verifies tokens as the settings say, if they do."""
        settings = self.settings
        if settings.auth == "off":
            return None
        from vitals.security.jwks import JwksCache
        from vitals.security.tokens import JwtVerifier

        keys = JwksCache(settings.auth_jwks_url, f"{self.name}/{settings.version}")
        about = settings.auth_issuer, settings.auth_audience, self.scopes_claim
        return JwtVerifier(keys, *about).verify
