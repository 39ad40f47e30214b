"""The route index: finds the route of a request without trying all routes one after the other.

It finds what the framework's own search would find, the first route in order that matches. What
it is not sure of is left to that search: other kinds of routes (mounts, hosts, own classes) whose
prefix fits, parameters that are not a whole segment, a method that is not allowed, a redirect.
"""

import logging
from collections import defaultdict
from operator import itemgetter
from typing import Any

from fastapi import APIRouter
from starlette.convertors import FloatConvertor, IntegerConvertor, StringConvertor, UUIDConvertor
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from vitals import framework

ONE_SEGMENT = (FloatConvertor, IntegerConvertor, StringConvertor, UUIDConvertor)
log = logging.getLogger(__name__)
Entry = tuple[int, framework.Candidate]  # a route and its place in the order of the search


class RouteIndex:
    """Takes the place of a router's own search, which it calls for what it leaves to it."""

    def __init__(self, router: APIRouter) -> None:
        self._router, self._search = router, router.middleware_stack
        self._routers, self._version = list[Any](), [0]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = None
        if scope["type"] == "http" and "\n" not in (path := framework.route_path_of(scope)):
            if self._version != framework.routes_version(self._routers):
                self._build()
            app = self._find(scope, path)  # a line break would match the end of a pattern
        await (app or self._search)(scope, receive, send)

    def _find(self, scope: Scope, path: str) -> ASGIApp | None:
        """The application of the first route that matches, with the scope marked for it."""
        method, first, place, is_known = scope["method"], None, 0, False
        params: dict[str, str] = {}
        for at, entry in self._entries(path):
            if (match := entry.found.path_regex.match(path)) is not None:
                is_known = True
                is_allowed = not entry.found.methods or method in entry.found.methods
                if is_allowed and (first is None or at < place):
                    first, place, params = entry, at, match.groupdict()
        if first is None:
            if is_known or self._may_be_elsewhere(path):
                return None
            if self._has_included:
                scope.setdefault("fastapi", {})
        elif self._others and any(
            at < place and path.startswith(prefix) for at, prefix in self._others
        ):
            return None
        return framework.mark(scope, self._router, first, params)

    def _entries(self, path: str) -> list[Entry]:
        """The routes whose literal segments are those of a path."""
        found, segments = [*self._literal.get(path, ())], path.split("/")
        for literal_segments, entries in self._shapes.get(len(segments), ()):
            found += entries.get(literal_segments(segments), ())
        return found

    def _may_be_elsewhere(self, path: str) -> bool:
        """Whether a path that no route has may be another's, or a redirect."""
        other = path.rstrip("/") if path.endswith("/") else path + "/"
        redirects = self._router.redirect_slashes and path != "/"
        return (
            any(p.startswith(prefix) for p in (path, other) for _, prefix in self._others)
            or any(e.found.path_regex.match(other) for _, e in self._entries(other) if redirects)
            or any(True for _ in framework.low_priority_routes(self._router))
        )

    def _build(self) -> None:
        self._routers = framework.routers(self._router)
        self._version = framework.routes_version(self._routers)
        self._literal = defaultdict[str, list[Entry]](list)
        self._others: list[tuple[int, str]] = []
        self._has_included = len(self._routers) > 1
        shapes: dict[tuple[int, ...], dict[Any, list[Entry]]] = defaultdict(dict)
        for place, candidate in enumerate(framework.candidates(self._router.routes)):
            if isinstance(candidate.route, WebSocketRoute):
                continue
            described = getattr(candidate.found, "starlette_route", None) or candidate.found
            template = getattr(described, "path_format", getattr(described, "path", ""))
            segments = template.split("/")
            if not candidate.is_plain or not _are_whole(segments, candidate.found):
                self._others.append((place, template.partition("{")[0].rstrip("/")))
                continue
            at = tuple(n for n, segment in enumerate(segments) if "{" not in segment)
            if len(at) == len(segments):
                self._literal[template].append((place, candidate))
            else:
                entries = shapes[len(segments), *at]
                entries.setdefault(itemgetter(*at)(segments), []).append((place, candidate))
        self._shapes = defaultdict[int, list[Any]](list)
        for (length, *at), entries in shapes.items():
            self._shapes[length].append((itemgetter(*at), entries))


def install(router: APIRouter) -> None:
    """Put the index before the search of a router, if that search is the framework's as known."""
    is_own = type(router).app is APIRouter.app and router.middleware_stack == router.app
    if (
        is_own
        and not getattr(router, "form_limits", None)
        and framework.searches_as_known(RouteIndex)
    ):
        router.middleware_stack = RouteIndex(router)
    else:
        log.warning("no route index: the application's router searches in another way")


def _are_whole(segments: list[str], found: Any) -> bool:
    """Whether each parameter is a whole segment."""
    whole = all("{" not in s or (s[0] == "{" and s.find("}") == len(s) - 1) for s in segments)
    return whole and all(type(c) in ONE_SEGMENT for c in found.param_convertors.values())
