"""URLs of databases and caches, parsed completely: what can't work is refused at the start.

No refusal shows a byte of the value, where a password may stand in any place: it names only what
stands here.
"""

import re
import ssl
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

URL = re.compile(
    r"[a-z]+://(?:([^:@/?#]*)(?::([^@/?#]*))?@)?([^@/?#]*)(?:/([^@/?#]*))?(?:\?([^@#]*))?"
)
HOST = re.compile(r"(/.*|\[[\da-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?")
ENCODED = "a URL whose password has %2F for /, %40 @, %3F ?, %23 #, %25 %, %20 a space"
# The parameters of libpq that asyncpg has too.
TLS = dict.fromkeys(("sslrootcert", "sslcert", "sslkey", "sslpassword"), ".+") | {
    "sslmode": "disable|allow|prefer|require|verify-ca|verify-full",
    "sslnegotiation": "postgres|direct",
    "ssl_min_protocol_version": r"TLSv1\.[23]",
    "ssl_max_protocol_version": r"TLSv1\.[23]",
}
PARAMETERS = {
    **TLS,
    "target_session_attrs": "any|primary|standby|prefer-standby|read-write|read-only",
    "channel_binding": "disable|prefer|require",
    "connect_timeout": "[0-9]{1,3}",
    "pgbouncer": "true|false",
    **dict.fromkeys(("user", "password", "host", "port", "dbname"), ".+"),
    **dict.fromkeys(("application_name", "options"), ".*"),
    # Of other clients: they change neither who connects, nor where, nor how safely.
    **dict.fromkeys(("keepalives", "keepalives_idle", "keepalives_interval"), ".*"),
    **dict.fromkeys(("keepalives_count", "tcp_user_timeout", "sslsni"), ".*"),
    **dict.fromkeys(("connection_limit", "pool_timeout", "supa"), ".*"),
}
UNSUPPORTED = "gssencmode hostaddr passfile require_auth schema service ssl sslcrl".split()


class Target(NamedTuple):
    """The options of `asyncpg.connect`, and whether the URL says that a pooler is in between."""

    options: dict[str, Any]
    pooled: bool


def checked(text: str, *schemes: str) -> str:
    """The URL with its user and password percent-encoded, so that every parser reads the same.

    Raises ValueError with what is expected if it has another scheme, can be read in two ways, or
    asks for what the driver doesn't have.
    """
    scheme, _, rest = text.partition("://")
    if scheme not in schemes or not text.startswith(f"{scheme}://"):
        raise ValueError("a URL that starts with " + " or ".join(f"{s}://" for s in schemes))
    if scheme == "sqlite":
        if not re.fullmatch(r"/(?!:memory:|file:)[^?]+", rest):
            raise ValueError("sqlite:///file without parameters; it can't be in memory")
        return text
    user, password, hosts, _, _ = _parts(text)
    if scheme.startswith("postgres"):
        postgres_target(text)
    elif hosts:
        _hosts(hosts)
    secret = "" if password is None else ":" + quote(password, safe="")
    authority = "" if user is None else f"{quote(user, safe='')}{secret}@"
    return f"{scheme}://{authority}{rest.rpartition('@')[2]}"


def postgres_target(text: str) -> Target:
    """What a PostgreSQL URL means, as clouds give it. Raises ValueError as `checked` does."""
    user, password, authority, name, query = _parts(text)
    given = _parameters(query or "")
    hosts, ports = _hosts(given.get("host") or _decoded(authority or ""), given.get("port", ""))
    options: dict[str, Any] = {
        "host": hosts,
        "port": ports,
        "user": given.get("user", user),
        "password": given.get("password", password),
        "database": given.get("dbname", name and _decoded(name)),
        "target_session_attrs": given.get("target_session_attrs"),
        "server_settings": {n: given[n] for n in ("application_name", "options") if n in given},
        "timeout": int(given.get("connect_timeout", 0)),
        **_tls(given),
    }
    used = {name: value for name, value in options.items() if value}
    return Target(used, given.get("pgbouncer") == "true")


def _parts(text: str) -> tuple[str | None, ...]:
    """User, password, hosts, name and query; the first two are decoded."""
    found = URL.fullmatch(text)
    if found is None or not text.isprintable() or re.search(r"\s|%(?![\da-fA-F]{2})|%00", text):
        raise ValueError(ENCODED)
    user, password, *rest = found.groups()
    return *(part if part is None else _decoded(part) for part in (user, password)), *rest


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("a URL whose percent codes are UTF-8") from None


def _parameters(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for number, pair in enumerate(query.split("&") if query else (), 1):
        name, _, value = pair.partition("=")
        if name not in PARAMETERS or name in given:
            shown = name if name in {*PARAMETERS, *UNSUPPORTED} else f"number {number}"
            raise ValueError(f"a URL without parameter {shown}; once each: {', '.join(PARAMETERS)}")
        given[name] = _decoded(value)
        if not re.fullmatch(PARAMETERS[name], given[name]):
            raise ValueError(f"a URL with {name}={PARAMETERS[name]}")
    return given


def _hosts(text: str, ports: str = "") -> tuple[list[str], list[int]]:
    """The hosts and the port of each; one that starts with a slash is a socket's folder."""
    found = [match for each in text.split(",") if (match := HOST.fullmatch(each))]
    beside = ports.split(",") if "," in ports else [ports] * len(found)
    numbers = [match[2] or port or "5432" for match, port in zip(found, beside, strict=False)]
    valid = all(each.isdecimal() and 0 < int(each) < 65_536 for each in numbers)
    if not valid or not len(numbers) == len(beside) == text.count(",") + 1:
        raise ValueError("a URL with hosts (names, addresses, [IPv6]) by comma, each with a port")
    hosts = [match[1].strip("[]") for match in found]
    if any(host.endswith(".cockroachlabs.cloud") for host in hosts):
        raise ValueError(
            "a PostgreSQL, not CockroachDB, which needs an SQLAlchemy dialect of its own"
        )
    return hosts, [int(each) for each in numbers]


def _tls(given: dict[str, str]) -> dict[str, Any]:
    """How the server is verified, for asyncpg."""
    used = {name: given[name] for name in TLS if name in given}
    if given.get("channel_binding") == "require" and not used.get("sslmode", "").startswith("ver"):
        # asyncpg has none. A verified certificate protects from the same attacker.
        used["sslmode"] = "verify-full" if used.get("sslmode") != "disable" else "disable"
        used.setdefault("sslrootcert", "system")
    mode, root = used.get("sslmode", "prefer"), used.get("sslrootcert", "")
    if mode.startswith("verify") and not root:
        raise ValueError(f"a URL with sslmode={mode} and sslrootcert=FILE, or =system")
    if root == "system" and (mode == "disable" or "sslcert" in used):
        raise ValueError("a URL with sslrootcert=FILE")
    if root == "system":
        return {"ssl": True}
    try:
        context = ssl.create_default_context(cafile=root or None)
        if "sslcert" in used:
            password = used.get("sslpassword", "")
            context.load_cert_chain(used["sslcert"], used.get("sslkey"), password)
    except OSError:
        raise ValueError("a URL whose sslrootcert, sslcert and sslkey are PEM files") from None
    return {"dsn": "postgresql://?" + urlencode(used)} if used else {}
