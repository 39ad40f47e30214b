"""Checks of the settings that are no patterns: their types, tokens and proxies."""

from ipaddress import ip_network
from typing import Any

from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.schemas import SECRET
from vitals.ops.run import project_file
from vitals.settings import PLACEHOLDERS, secret_names

MOST_PUBLIC = 2**22  # the large content networks have half as many addresses
PRIVATE = (
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 fc00::/7"
)


@check("SEC-111", "jwt", "set APP_AUTH=jwt in config/common.env", "OWASP API2:2023")
def tokens_are_required(seen: Evidence) -> Findings:
    """Staging and production require tokens where a route does, of an issuer that has HTTPS"""
    if seen.service.own_tokens or all(each.public for each in seen.service.operations):
        return
    for environment, settings in seen.settings.items():
        for name in ("auth", "auth_issuer", "auth_jwks_url"):
            if (value := getattr(settings, name)).startswith(("off", "http:", "file:")):
                yield f"{environment} APP_{name.upper()}", value


@check("SEC-203", "SecretStr, with a placeholder", "secret://name in config/", "OWASP ASVS 13.3.1")
def settings_hide_secrets(_: Evidence) -> Findings:
    """A setting that is a secret has a type that hides it, and no real value as its default"""
    settings_type = project_file.load_settings_type()
    hidden = secret_names(settings_type)
    for name, field in settings_type.model_fields.items():
        is_secret = SECRET.search(name) or name.endswith("token")
        if is_secret and name not in hidden and field.annotation not in (bool, int, float):
            yield f"APP_{name.upper()}", f"a {field.annotation} that logs and pages may show"
        default = getattr(field.default, "get_secret_value", str)()
        known = "" if "://" in default and "@" not in default else default
        if name in hidden and known and not any(word in known for word in PLACEHOLDERS):
            yield f"APP_{name.upper()} default", "a real value"


@check("SEC-316", "the proxies' own networks", "narrow APP_TRUSTED_PROXIES", "OWASP ASVS 4.1.3")
def trusted_proxies_are_few(seen: Evidence) -> Findings:
    """Only the service's own proxies are trusted about a client's address"""
    for environment, settings in seen.settings.items():
        if sum(map(_public, settings.trusted_proxies)) > MOST_PUBLIC:
            yield f"{environment} APP_TRUSTED_PROXIES", ",".join(settings.trusted_proxies)


def _public(network: str) -> int:
    """How many public addresses a network holds; of IPv6 each /48 is one."""
    parsed: Any = ip_network(network)
    private: list[Any] = [ip_network(each) for each in (*PRIVATE.split(), "fe80::/10", "::1")]
    if any(each.version == parsed.version and parsed.subnet_of(each) for each in private):
        return 0
    return int(2 ** max((32 if parsed.version == 4 else 48) - parsed.prefixlen, 0))
