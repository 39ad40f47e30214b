"""URLs of databases and caches: what can't work is refused at the start, and nothing is shown."""

import re
import ssl
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

PORT = r"(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
HOST = rf"(?:[\w.-]+|%2[fF][^,:/?]+)(?::{PORT})?"
HOSTS = rf"(?:\[[\da-fA-F:.]+\](?::{PORT})?|{HOST}(?:,{HOST})*)"
URL = re.compile(rf"(?:([^@/?#]*)@)?({HOSTS}?(?:/[^/@?#]*)?)(?:\?([^@#]*))?")
NOT_ENCODED = re.compile(r"\s|%00|%(?![\da-fA-F]{2})")
CACHE = re.compile(
    rf"(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::{PORT})?(?:/\d*)?\?(?:&?(?:db=\d+|ssl_cert_reqs="
    r"(?:none|optional|required)|ssl_check_hostname=(?:true|false)|ssl_ca_certs=/[^&]+))*"
)
FOR_CACHE = "one host, a number after /, no parameters but ssl_cert_reqs, ssl_ca_certs, db"
EXPECTED = "a URL with hosts, ports and %2F for /, %40 @, %3F ?, %23 #, %25 % in its UTF-8 password"
ANY = "user password dbname application_name options sslrootcert sslcert sslkey sslpassword"
PARAMETERS = dict.fromkeys(ANY.split(), ".+") | {
    "sslmode": "disable|allow|prefer|require|verify-ca|verify-full",
    "sslnegotiation": "postgres|direct",
    "ssl_min_protocol_version": r"TLSv1\.[23]",
    "target_session_attrs": "any|primary|standby|prefer-standby|read-write|read-only",
    "host": r"/.+|[\w.-]+(?:,[\w.-]+)*",
    "port": f"{PORT}(?:,{PORT})*",
    "channel_binding": "disable|prefer|require",
    "connect_timeout": r"\d{1,3}",
    "pgbouncer": "true|false",
}
# They change neither who connects, nor where, nor how safely.
IGNORED = (
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    *("tcp_user_timeout", "sslsni", "connection_limit", "pool_timeout", "supa"),
)
UNSUPPORTED = ("gssencmode", "hostaddr", "passfile", "schema", "service", "ssl", "sslcrl")


def checked(text: str, *schemes: str) -> str:
    """The URL with its user and password percent-encoded, so that every parser reads the same.

    Raises ValueError with what is expected if it has another scheme, can be read in two ways, or
    asks for what the driver doesn't have.
    """
    scheme, _, rest = text.partition("://")
    if not text.startswith(tuple(f"{each}://" for each in schemes)):
        raise ValueError("a URL that starts with " + " or ".join(f"{each}://" for each in schemes))
    if scheme == "sqlite":
        if not re.fullmatch(r"/(?!:memory:|file:)[^?]+", rest):
            raise ValueError("sqlite:///file without parameters; it can't be in memory")
        return text
    found = URL.fullmatch(rest) if rest.isprintable() else None
    if not found or NOT_ENCODED.search(rest) or "\N{REPLACEMENT CHARACTER}" in unquote(rest):
        raise ValueError(EXPECTED)
    login, place, query = found.groups()
    if login is not None:
        login = ":".join(quote(unquote(part), safe="") for part in login.split(":", 1)) + "@"
    url = f"{scheme}://{login or ''}{place}" + (f"?{query}" if query else "")
    if scheme.startswith("postgres"):
        driver_options(url)
    if scheme.startswith("redis"):  # the client ignores some of it, or fails when it is made
        is_plain_with_tls = scheme == "redis" and "ssl_" in (query or "")
        if is_plain_with_tls or not CACHE.fullmatch(f"{place}?{query or ''}"):
            raise ValueError(FOR_CACHE)
    return url


def driver_options(url: str) -> tuple[dict[str, Any], bool]:
    """Options of `asyncpg.connect` for a checked URL, and whether it says that a pooler is there.

    Raises ValueError as `checked` does.
    """
    base, _, query = url.partition("?")
    given = _parameters(query)
    is_pooled = given.pop("pgbouncer", "") == "true"
    options: dict[str, Any] = {"timeout": int(given.pop("connect_timeout", 0))}
    hosts = given.get("host") or urlsplit(base).netloc.rpartition("@")[2]
    ports = given.get("port", "").count(",")
    if not hosts or ports not in (0, hosts.count(",")) or ".cockroachlabs." in hosts:
        raise ValueError("hosts, a port for each or one for all, of PostgreSQL, not of CockroachDB")
    if "host" in given:
        options["host"] = given.pop("host").split(",")
        if ports:
            options["port"] = [int(port) for port in given.pop("port").split(",")]
    options["ssl"] = _tls(given)
    used = {name: value for name, value in options.items() if value}
    return used | {"dsn": f"{base}?{urlencode(given, quote_via=quote)}"}, is_pooled


def _parameters(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for number, pair in enumerate(filter(None, query.split("&")), 1):
        name, _, value = pair.partition("=")
        if name in IGNORED:
            continue
        if name not in PARAMETERS or name in given:
            which = name if name in {*PARAMETERS, *UNSUPPORTED} else f"number {number}"
            raise ValueError(f"no parameter {which}; once each: {', '.join(PARAMETERS)}")
        given[name] = unquote(value)
        if not re.fullmatch(PARAMETERS[name], given[name]):
            raise ValueError(f"{name}={PARAMETERS[name]}")
    return given


def _tls(given: dict[str, str]) -> bool:
    """Complete the parameters of TLS; whether the system's authorities verify the server."""
    mode, root = given.get("sslmode", "prefer"), given.get("sslrootcert")
    if given.pop("channel_binding", "") == "require" and not mode.startswith("verify"):
        # asyncpg has none. A verified certificate protects from the same attacker.
        mode, root = "verify-full" if mode != "disable" else mode, root or "system"
    is_system = root == "system"
    is_complete = (root and mode != "disable") or (not root and not mode.startswith("verify"))
    if not is_complete or (is_system and "sslcert" in given):
        raise ValueError(f"sslmode={mode} and a sslrootcert=FILE that fits, or =system")
    given["sslmode"] = mode
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if root and not is_system:
            context.load_verify_locations(root)
        if "sslcert" in given:
            files = given["sslcert"], given.get("sslkey")
            context.load_cert_chain(*files, given.get("sslpassword", ""))
    except OSError:
        raise ValueError("sslrootcert, sslcert and sslkey that are readable PEM files") from None
    return is_system
