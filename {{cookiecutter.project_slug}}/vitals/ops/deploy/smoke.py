"""Smoke test: the questions that a release must answer before it gets traffic.

A new question is a function in CHECKS. Real work is the first GET of the release's config/slo.toml.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import httpx

from vitals.ops.deploy.targets import Target
from vitals.ops.measure import load
from vitals.ops.release.releases import Release
from vitals.ops.run.steps import Refused, interrupted

READY_SECONDS = 60
MEMBERS = {"type", "title", "status", "request_id", "retry_safe"}
HEADERS = {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}


def wait_until_ready(url: str, running: Callable[[], bool], release: Release) -> None:
    """Wait until the service at `url` is ready; at most 60 s, and only while it is `running`.

    Raises `Refused` with its last answer.
    """
    deadline, answered = time.monotonic() + READY_SECONDS, "no answer"
    with load.client(url, release, timeout=2) as client:
        while running() and time.monotonic() < deadline and not interrupted.is_set():
            try:
                answer = client.get("/readyz")
            except httpx.TransportError as error:
                answered = str(error)
            else:
                if answer.is_success:
                    return
                answered = answer.text
            time.sleep(0.05)
    raise Refused(f"it did not get ready: {answered}", "200 of /readyz", "read its log below")


def check(url: str, release: Release) -> str:
    """Ask the service at `url` all questions; return how many. Raises `Refused` with all faults."""
    with load.client(url, release, timeout=10) as client:
        try:
            faults = [fault for question in CHECKS for fault in question(client, release)]
        except httpx.TransportError as error:
            raise Refused(f"no answer: {error}", "an answer to each question") from error
    if faults:
        raise Refused("the smoke test failed", output="\n".join(faults))
    routes = load.read(release.folder).routes
    none = "; no read without a log-in or a seed" if routes else f"; {load.NOTHING}"
    return f"{len(CHECKS)} questions{'' if first_read(release) else none}"


def slot_ready(target: Target, release: Release, slot: str) -> None:
    """Wait until a slot is ready. Raises `Refused` with its log."""
    try:
        with target.reach(slot) as url:
            wait_until_ready(url, partial(target.running, slot), release)
    except Refused as refused:
        refused.output = target.log(slot)
        raise


def check_slot(target: Target, release: Release, slot: str) -> str:
    with target.reach(slot) as url:
        return check(url, release)


def is_warm(target: Target, release: Release, slot: str) -> bool:
    """Whether the slot still runs this very build, and it works."""
    try:
        return bool(check_slot(target, release, slot))
    except Refused:
        return False


def is_that_build(client: httpx.Client, release: Release) -> Iterator[str]:
    health = _members(client.get("/health"))
    for key, expected in zip(("version", "releaseId"), release.build, strict=True):
        if health.get(key) != expected:
            yield f"/health: found {key} {health.get(key)!r}; expected {expected!r}"


def does_real_work(client: httpx.Client, release: Release) -> Iterator[str]:
    if path := first_read(release):
        answer = client.get(path)
        if answer.status_code != 200:
            yield f"{path}: found {answer.status_code}; expected 200"
        if not answer.headers.get("content-type", "").startswith("application/json"):
            yield f"{path}: found {answer.headers.get('content-type')}; expected JSON"


def explains_errors(client: httpx.Client, _: Release) -> Iterator[str]:
    answer = client.get("/no-such-path")
    if answer.status_code != 404:
        yield f"/no-such-path: found {answer.status_code}; expected 404"
    elif "json" not in (kind := answer.headers.get("content-type", "")):
        yield "/no-such-path: found no JSON"
    elif "problem" in kind and (missing := MEMBERS - _members(answer).keys()):
        yield f"/no-such-path: the problem lacks {', '.join(sorted(missing))}"


def sends_its_headers(client: httpx.Client, release: Release) -> Iterator[str]:
    path = first_read(release) or "/livez"
    headers = client.get(path).headers
    if not headers.get("x-request-id"):
        yield f"{path}: found no X-Request-ID"
    for name, expected in HEADERS.items():
        if headers.get(name) != expected:
            yield f"{path}: found {name}: {headers.get(name)}; expected {expected}"


def _members(answer: httpx.Response) -> dict[str, object]:
    """Return the members of a JSON object; none of another answer."""
    with suppress(ValueError):
        if isinstance(found := answer.json(), dict):
            return found
    return {}


def first_read(release: Release) -> str:
    """Return the path of the release's first read that needs no log-in and no seed, if any."""
    plan = load.read(release.folder)
    for method, path, _, _, anonymous in (route.request for route in plan.routes):
        if method == "GET" and "{" not in path and (anonymous or not plan.login):
            return path
    return ""


CHECKS = (is_that_build, does_real_work, explains_errors, sends_its_headers)
