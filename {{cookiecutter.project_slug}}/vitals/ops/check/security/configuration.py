"""Checks of the settings: their types, and their values in staging and production."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.schemas import SECRET
from vitals.ops.run import project_file
from vitals.settings import PLACEHOLDERS, secret_names

CONSUMPTION = "OWASP API4:2023"
MAX_MEBIBYTES, MAX_SECONDS = 10, 60
MOST_PUBLIC = 2**22  # the large content networks have half as many addresses
PRIVATE = (
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 fc00::/7"
)


def _wrong(seen: Evidence, name: str, is_wrong: Callable[[Any], object]) -> Findings:
    for environment, settings in seen.settings.items():
        if is_wrong(value := getattr(settings, name)):
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            yield f"{environment} APP_{name.upper()}", text


@check("SEC-111", "jwt", "set APP_AUTH=jwt in config/common.env", "OWASP API2:2023")
def tokens_are_required(seen: Evidence) -> Findings:
    """Staging and production require tokens where a route does, of an issuer that has HTTPS"""
    guarded = [each for each in seen.service.operations if not each.public]
    if guarded and not seen.service.own_tokens:
        yield from _wrong(seen, "auth", lambda auth: auth == "off")
        for name in ("auth_issuer", "auth_jwks_url"):
            yield from _wrong(seen, name, lambda url: url.startswith(("http:", "file:")))


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
    yield from _wrong(seen, "trusted_proxies", lambda all_: sum(map(_public, all_)) > MOST_PUBLIC)


@check("SEC-413", f"at most {MAX_MEBIBYTES} MiB", "lower it, or accept the finding", CONSUMPTION)
def sizes_are_limited(seen: Evidence) -> Findings:
    """The limits of sizes are low in staging and production"""
    for name in ("max_body_bytes", "max_upload_bytes", "max_header_bytes"):
        yield from _wrong(seen, name, lambda size: size > MAX_MEBIBYTES * 1024 * 1024)


@check("SEC-414", f"at most {MAX_SECONDS} s", "lower it, or accept the finding", CONSUMPTION)
def times_are_limited(seen: Evidence) -> Findings:
    """The limits of times are low in staging and production"""
    for name in ("request_read_seconds", "request_seconds"):
        yield from _wrong(seen, name, lambda seconds: seconds > MAX_SECONDS)


def _public(network: str) -> int:
    """How many public addresses a network holds; of IPv6 each /48 is one."""
    parsed: Any = ip_network(network)
    private: list[Any] = [ip_network(each) for each in (*PRIVATE.split(), "fe80::/10", "::1")]
    if any(each.version == parsed.version and parsed.subnet_of(each) for each in private):
        return 0
    return int(2 ** max((32 if parsed.version == 4 else 48) - parsed.prefixlen, 0))
