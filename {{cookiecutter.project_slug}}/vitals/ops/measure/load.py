"""Load of tests and measurements: the seeds and requests of config/slo.toml."""

import http.client
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from vitals.ops import slo
from vitals.ops.run import shell
from vitals.ops.run.steps import NOTHING_TO_TEST, Refused

ANSWER_SECONDS = 30
NOTHING = f"{NOTHING_TO_TEST}: {slo.SOURCE} names no route"


class Request(NamedTuple):
    method: str
    path: str
    body: Any = None


class Route(NamedTuple):
    name: str
    request: Request
    rate: float
    features: tuple[str, ...]  # whose cache is cleared before a cold request


class Load(NamedTuple):
    seeds: list[Request]
    routes: list[Route]
    scopes: str  # of the token that the seeds need


def read(folder: Path) -> Load:
    """Return the load that the project in `folder` names; it may be empty.

    Raises `Refused` where a part of a request is missing, and for wrong objectives of this project.
    Those of another folder are not looked at: an older release's must not hinder a rollback.
    """
    file = folder / slo.SOURCE
    if folder == shell.ROOT and file.is_file():
        slo.read(folder)
    table = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    try:
        seeds = [seed for each in table.get("seed", []) for seed in _seeds(each)]
        routes = [_route(each, folder) for each in table.get("route", [])]
    except KeyError as error:
        found = f"{slo.SOURCE}: a seed or a route without {error}"
        raise Refused(found, "request, body and times, or route, request and rate") from error
    return Load(seeds, routes, table.get("scopes", ""))


class Connection:
    """One kept connection with one request at a time: no queue is measured."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in kinds or not parts.netloc:
            raise Refused(f"URL={url}", "an address", "`make baseline URL=http://127.0.0.1:8000`")
        self._connection = kinds[parts.scheme](parts.netloc, timeout=ANSWER_SECONDS)
        self._url = url
        self._headers = headers

    def send(self, request: Request, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Send a request, again if it fails; raises `Refused` when there is no answer."""
        try:
            return self.send_once(request, headers)
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()  # it was idle for too long
        try:
            return self.send_once(request, headers)
        except (OSError, http.client.HTTPException) as error:
            found = f"{self._url}: no answer to {request.method} {request.path}: {error!r}"
            raise Refused(found, "an answer", "read its log; safe to repeat") from error

    def send_once(self, request: Request, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Send a request and read the answer."""
        body = None if request.body is None else json.dumps(request.body)
        kind = {"Content-Type": "application/json"} if body else {}
        sent = {**self._headers, **kind, **headers}
        self._connection.request(request.method, request.path, body, sent)
        answer = self._connection.getresponse()
        answer.read()
        return answer

    def close(self) -> None:
        self._connection.close()


def _seeds(table: dict[str, Any]) -> list[Request]:
    method, _, path = table["request"].partition(" ")
    return [Request(method, path, table["body"])] * int(table["times"])


def _route(table: dict[str, Any], folder: Path) -> Route:
    method, _, path = table["request"].partition(" ")
    parts = [part.replace("-", "_") for part in table["route"].split("/")]
    features = tuple(part for part in parts if part and (folder / "app" / part).is_dir())
    return Route(f"{method} {table['route']}", Request(method, path), table["rate"], features)
