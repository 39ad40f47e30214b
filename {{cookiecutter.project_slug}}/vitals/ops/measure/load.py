"""Load of tests and measurements: the seeds and requests of config/slo.toml, and their client."""

from pathlib import Path
from typing import Any, NamedTuple

import httpx

from vitals.ops import slo
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import shell
from vitals.ops.run.steps import NOTHING_TO_TEST, Refused

NOTHING = f"{NOTHING_TO_TEST}: {slo.SOURCE} names no route"


class Request(NamedTuple):
    method: str
    path: str
    body: Any = None
    form: Any = None
    anonymous: bool = False  # sent without a token


class Route(NamedTuple):
    name: str
    request: Request
    rate: float
    features: tuple[str, ...]  # whose cache is cleared before a cold request


class Login(NamedTuple):
    request: Request
    token: str  # the member of the answer
    scheme: str  # of the Authorization header


class Load(NamedTuple):
    seeds: list[Request]
    routes: list[Route]
    scopes: str  # of the token that the seeds need, where no log-in gives one
    login: Login | None = None


EMPTY = Load([], [], "")


def read(folder: Path) -> Load:
    """Return the load that the project in `folder` names; it may be empty.

    Raises `Refused` where a part of a request is missing, and for wrong objectives of this project.
    Those of another folder are not looked at: an older release's must not hinder a rollback.
    """
    if folder == shell.ROOT:
        slo.read(folder)
    table = slo.table(folder)
    try:
        seeds = [r for each in table.get("seed", []) for r in [_request(each)] * int(each["times"])]
        routes = [_route(each, folder) for each in table.get("route", [])]
        login = _login(table["login"]) if "login" in table else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f" without {error}" if isinstance(error, KeyError) else f": {error}"
        found = f"{slo.SOURCE}: a seed, a route or a log-in{what}"
        raise Refused(found, "request and times; route, request and rate; request") from error
    return Load(seeds, routes, table.get("scopes", ""), login)


def client(url: str, release: Release, timeout: float = 30) -> httpx.Client:
    """Return a client of a release that runs at `url`; it ignores the proxies of this machine."""
    headers = {"Host": releases.host(release)}
    return httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)


def _request(table: dict[str, Any]) -> Request:
    method, _, path = table["request"].partition(" ")
    if (sender := table.get("as", "anonymous")) != "anonymous":
        raise Refused(f"{slo.SOURCE}: as = {sender!r}", "'anonymous', or nothing for the token's")
    return Request(method, path, table.get("body"), table.get("form"), "as" in table)


def _login(table: dict[str, Any]) -> Login:
    request = _request(table | {"as": "anonymous"})
    return Login(request, table.get("token", "access_token"), table.get("scheme", "Bearer"))


def _route(table: dict[str, Any], folder: Path) -> Route:
    request = _request(table)
    parts = [part.replace("-", "_") for part in table["route"].split("/")]
    features = tuple(part for part in parts if part and (folder / "app" / part).is_dir())
    return Route(f"{request.method} {table['route']}", request, table["rate"], features)
