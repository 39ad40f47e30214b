"""Allowed hosts: a request for another Host is refused.

A Host header that an attacker chose would end up in links and redirects. Probes and scrapers ask
by address, so their paths are exempt.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from vitals import problems
from vitals.problems import Problem

EXEMPT = ("/livez", "/readyz", "/metrics")


class AllowedHosts:
    """Answers 400 to a request for a host that is not in `allowed`: a name, or *.name for below."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        self.app = app
        names = [name.encode() for name in allowed]
        self._names = frozenset(names)
        self._below = tuple(name[1:] for name in names if name.startswith(b"*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_allowed(scope) or scope["path"] in EXEMPT:
            await self.app(scope, receive, send)
            return
        problem = Problem(
            400, "the Host header is not allowed", expected="a host name of this service"
        )
        await problems.answer(scope, problem)(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:  # RFC 9112, 3.2
            return False
        host = hosts[0].partition(b":")[0].lower()
        return host in self._names or host.endswith(self._below)
