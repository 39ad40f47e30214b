"""The host that a request names: valid (RFC 9112, 3.2), and one of the allowed.

A host that an attacker chose would end up in links and redirects, and for one that it can't read
the framework puts the server's own address there. Probes and scrapers ask by address.
"""

import re
from collections.abc import Collection, Iterable
from ipaddress import IPv6Address

from starlette.types import ASGIApp, Receive, Scope, Send

from vitals import problems
from vitals.problems import Problem

# RFC 3986, 3.2.2, as far as DNS and addresses go; a trailing dot means the same name.
HOST = re.compile(
    rb"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::(?P<port>\d{1,5}))?"
)
ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
MAX_KNOWN = 1_000  # values of the header that are not read again
MAX_LENGTH = 260  # a name of DNS and a port
INVALID = Problem(400, "no valid host", expected="one Host header, such as api.example.com:8443")
OTHER = Problem(400, "the host is not allowed", expected="a host name of this service")


class AllowedHosts:
    """Answers 400 to a request for a host that is not in `allowed`: a name, or *.name for below.

    Without any, every valid host is allowed; under the paths in `exempt` it always is.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str], exempt: Collection[str]) -> None:
        self.app = app
        names = [name.encode() for name in allowed]
        self._names = frozenset(names)
        self._below = tuple(name[1:] for name in names if name.startswith(b"*."))
        self._exempt = exempt
        self._known = set[bytes]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if "target" in scope.get("state", ()):
                _name_the_targets_host(scope)
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or hosts[0] not in self._known:
                problem = self._judge(scope, hosts)
                if problem is not None:
                    await problems.answer(scope, problem)(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    def _judge(self, scope: Scope, hosts: list[bytes]) -> Problem | None:
        exempt = scope["path"] in self._exempt
        if exempt and not hosts and scope.get("http_version") == "1.0":
            return None
        name = _name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            return INVALID
        if not self._names or name in self._names or name.endswith(self._below):
            if len(self._known) < MAX_KNOWN:
                self._known.add(hosts[0])
            return None
        return None if exempt else OTHER


def _name(host: bytes) -> bytes | None:
    """The name or address of a Host header in lower case; none if it is not valid."""
    found = HOST.fullmatch(host.lower()) if len(host) <= MAX_LENGTH else None
    if found is None or int(found["port"] or 0) > 65_535:
        return None
    try:
        return found["name"] or str(IPv6Address(found["ipv6"].decode())).encode()
    except ValueError:
        return None


def _name_the_targets_host(scope: Scope) -> None:
    """Put the host of an absolute target in the place of the Host header (RFC 9112, 3.2.2).

    The server keeps a target that is no path in the state.
    """
    target = scope["state"]["target"]
    if target != b"*":
        found = ABSOLUTE.match(target)
        rest = [each for each in scope["headers"] if each[0] != b"host"]
        scope["headers"] = [*rest, (b"host", found[1] if found else b"")]
