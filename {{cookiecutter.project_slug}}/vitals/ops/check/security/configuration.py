"""Checks of the settings of staging and production."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

from vitals.ops.check.security.checklist import check
from vitals.ops.check.security.gather import Evidence

HOSTS, CORS, CONSUMPTION = "OWASP WSTG-INPV-17", "OWASP WSTG-CLNT-07", "OWASP API4:2023"
MAX_MEBIBYTES, MAX_SECONDS = 10, 60
MOST_PUBLIC = 2**22  # the large content networks have half as many addresses


def _wrong(seen: Evidence, name: str, is_wrong: Callable[[Any], object]) -> Iterator[str]:
    for environment, settings in seen.settings.items():
        if is_wrong(value := getattr(settings, name)):
            text = ",".join(value) if isinstance(value, tuple) else str(value).lower()
            yield f"{environment}: APP_{name.upper()}={text}"


@check("SEC-111", "jwt", "set APP_AUTH=jwt in config/common.env", "OWASP API2:2023")
def tokens_are_required(seen: Evidence) -> Iterator[str]:
    """Staging and production require tokens where a route does"""
    if not all(each.public for each in seen.service.operations):
        yield from _wrong(seen, "auth", lambda auth: auth == "off")


@check("SEC-112", "false", "set APP_DOCS=false in config/common.env", "OWASP API9:2023")
def the_description_is_not_public(seen: Evidence) -> Iterator[str]:
    """Staging and production don't serve the description of the API"""
    yield from _wrong(seen, "docs", bool)


@check("SEC-311", "the service's own names", "set APP_ALLOWED_HOSTS", HOSTS)
def hosts_are_named(seen: Evidence) -> Iterator[str]:
    """Staging and production answer to their own host names only"""
    yield from _wrong(seen, "allowed_hosts", lambda hosts: not hosts or _whole_domain(hosts))


@check("SEC-315", "https:// origins", "remove it from APP_CORS_ORIGINS", CORS)
def origins_use_https(seen: Evidence) -> Iterator[str]:
    """Pages that may read answers use HTTPS"""
    yield from _wrong(seen, "cors_origins", lambda all_: "http://" in ",".join(all_))


@check("SEC-316", "the proxies' own networks", "narrow APP_TRUSTED_PROXIES", "OWASP ASVS 4.1.3")
def trusted_proxies_are_few(seen: Evidence) -> Iterator[str]:
    """Only the service's own proxies are trusted about a client's address"""
    yield from _wrong(seen, "trusted_proxies", lambda all_: sum(map(_public, all_)) > MOST_PUBLIC)


@check("SEC-413", f"at most {MAX_MEBIBYTES} MiB", "lower it, or accept the finding", CONSUMPTION)
def sizes_are_limited(seen: Evidence) -> Iterator[str]:
    """The limits of sizes are low in staging and production"""
    for name in ("max_body_bytes", "max_upload_bytes", "max_header_bytes"):
        yield from _wrong(seen, name, lambda size: size > MAX_MEBIBYTES * 1024 * 1024)


@check("SEC-414", f"at most {MAX_SECONDS} s", "lower it, or accept the finding", CONSUMPTION)
def times_are_limited(seen: Evidence) -> Iterator[str]:
    """The limits of times are low in staging and production"""
    for name in ("request_read_seconds", "request_seconds"):
        yield from _wrong(seen, name, lambda seconds: seconds > MAX_SECONDS)


@check("SEC-510", "json, and info or above", "set it in config/common.env", "OWASP ASVS 13.4.2")
def the_log_is_for_machines(seen: Evidence) -> Iterator[str]:
    """Staging and production log JSON, and nothing for debugging"""
    yield from _wrong(seen, "log_format", lambda kind: kind != "json")
    yield from _wrong(seen, "log_level", lambda level: level == "debug")


def _whole_domain(hosts: tuple[str, ...]) -> bool:
    """Whether one of the names is a whole top-level domain, such as *.com."""
    return any(host.startswith("*.") and host.count(".") == 1 for host in hosts)


def _public(network: str) -> int:
    """How many public addresses a network holds; of IPv6 each /48 is one."""
    parsed = ip_network(network)
    bits = 32 if parsed.version == 4 else 48
    return 0 if parsed.is_private else int(2 ** max(bits - parsed.prefixlen, 0))
