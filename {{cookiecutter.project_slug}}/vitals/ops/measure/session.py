"""What the requests of a load share: the token they are sent with, and values of earlier answers.

`{name}` in a path or a body is the value of the last seed's answer, or of the log-in's, that has a
member of this name, at any depth; `{n}` is a number that no other request had.
"""

import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

from vitals.ops.measure.load import EMPTY, Load, Request
from vitals.ops.run.steps import Refused

VALUE = re.compile(r"\{(\w+)\}")
NUMBERS = itertools.count(1)
FIX = "correct config/slo.toml"


class Session:
    """The sender of a load to one service; its clients may be used in several threads."""

    def __init__(self, load: Load = EMPTY, token: str = "") -> None:
        self.credentials = {"Authorization": f"Bearer {token}"} if token else {}
        self._load = load
        self._values: dict[str, object] = {}
        self._lock, self._is_logged_in = threading.Lock(), load.login is None

    def seed(self, client: httpx.Client) -> None:
        """Send the seeds, and log in. Raises `Refused` when one of them is not answered well."""
        for seed in self._load.seeds:
            self._remember("seed", seed, self.send(client, seed))
        self.log_in(client)

    def log_in(self, client: httpx.Client) -> None:
        """Get the token, once. Raises `Refused` without one."""
        with self._lock:
            if self._load.login and not self._is_logged_in:
                request, member, scheme = self._load.login
                found = self._remember("log-in", request, self.send(client, request))
                if not isinstance(token := found.get(member), str):
                    raise Refused(f"the log-in's answer has no {member!r}", "the token", FIX)
                self.credentials = {"Authorization": f"{scheme} {token}"}
                self._is_logged_in = True

    def send(
        self, client: httpx.Client, request: Request, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a request; log in first, if it needs that. Raises `Refused` for an unknown value."""
        if not request.anonymous:
            self.log_in(client)
        method, path, body, form, anonymous = request
        path, body, form = (self._filled(part) for part in (path, body, form))
        sent = {} if anonymous else self.credentials
        return client.request(
            method, path, json=body, data=form, headers=sent | {**(headers or {})}
        )

    def _remember(self, kind: str, request: Request, answer: httpx.Response) -> dict[str, object]:
        if answer.status_code >= 400:
            sent = f"the {kind} {request.method} {request.path}"
            raise Refused(f"{sent} was answered {answer.status_code}", "success", FIX)
        found: dict[str, object] = {}
        with suppress(json.JSONDecodeError, UnicodeDecodeError):
            found = dict(_values(answer.json()))
        self._values |= found
        return found

    def _filled(self, part: Any) -> Any:
        if isinstance(part, dict):
            return {name: self._filled(each) for name, each in part.items()}
        if isinstance(part, list):
            return [self._filled(each) for each in part]
        if not isinstance(part, str):
            return part
        if whole := VALUE.fullmatch(part):
            return self._value(whole)  # a number stays a number
        return VALUE.sub(lambda found: str(self._value(found)), part)

    def _value(self, found: re.Match[str]) -> object:
        if (name := found[1]) == "n":
            return next(NUMBERS)
        if name not in self._values:
            raise Refused(
                f"no answer of a seed has {name!r}", f"one with it, before {found[0]}", FIX
            )
        return self._values[name]


def _values(answer: Any) -> Iterator[tuple[str, object]]:
    """The members of an answer that are texts or numbers; the outer ones come last, and win."""
    members = answer if isinstance(answer, dict) else {}
    for part in answer if isinstance(answer, list) else members.values():
        yield from _values(part)
    yield from ((n, each) for n, each in members.items() if isinstance(each, str | int | float))
