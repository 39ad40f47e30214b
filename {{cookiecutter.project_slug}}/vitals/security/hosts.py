"""The host of a request: valid (RFC 9112, 3.2; RFC 3986, 3.2.2), and one of the allowed.

A host that an attacker chose would end up in links and redirects; for one that it can't read the
framework puts the server's own address there. Probes and scrapers ask by address.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from starlette.types import Scope

from vitals.problems import Problem

LABELS = rb"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
HOST = re.compile(rb"(?:\[([0-9a-f:.]+)\]|(%b)\.?)(?::(\d{1,5}))?" % LABELS)
MAX_LENGTH = 260  # a name of DNS and a port
ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
INVALID = Problem(400, "no valid host", expected="one Host header, such as api.example.com:8443")
OTHER = Problem(400, "the host is not allowed", expected="a host name of this service")


Judge = Callable[[bytes], Problem | None]  # why a host is refused


def judge_by(allowed: Iterable[str]) -> Judge:
    """Judge a host by the names that are allowed, *.name for those below; without any, all are."""
    names = frozenset(name.encode() for name in allowed)
    below = tuple(name[1:] for name in names if name.startswith(b"*."))

    @lru_cache(maxsize=1_000)
    def judge(host: bytes) -> Problem | None:
        found = HOST.fullmatch(host.lower()) if len(host) <= MAX_LENGTH else None
        if found is None or int(found[3] or 0) > 65_535:
            return INVALID
        try:
            name = found[2] or IPv6Address(found[1].decode()).exploded.encode()
        except AddressValueError:
            return INVALID
        return None if not names or name in names or name.endswith(below) else OTHER

    return judge


def use_host_of(target: bytes, scope: Scope) -> None:
    """The host of a target that is no path replaces the Host header (RFC 9112, 3.2.2)."""
    if target != b"*":
        rest = [each for each in scope["headers"] if each[0] != b"host"]
        found = ABSOLUTE.match(target)
        scope["headers"] = [*rest, (b"host", found[1] if found else b"")]
