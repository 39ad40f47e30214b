"""Does a service that was just started do its work? What has to hold before it gets any traffic.

A new question is a function in CHECKS. Real work is the first route of config/slo.toml.
"""

import time
from collections.abc import Callable, Iterator, Mapping

import httpx

from vitals.ops.measure import load
from vitals.ops.release.releases import Build
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused, interrupted

READY_SECONDS = 60
MEMBERS = {"type", "title", "status", "request_id", "retry_safe"}
HEADERS = {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}


def wait_until_ready(url: str, running: Callable[[], bool], host: str) -> None:
    """Wait until the service at `url` is ready; at most 60 s, and only while it is `running`.

    Raises `Refused` with what it said last.
    """
    deadline, said = time.monotonic() + READY_SECONDS, "no answer"
    with httpx.Client(base_url=url, headers={"Host": host}, timeout=2, trust_env=False) as client:
        while running() and time.monotonic() < deadline and not interrupted.is_set():
            try:
                answer = client.get("/readyz")
            except httpx.TransportError as error:
                said = str(error)
            else:
                if answer.is_success:
                    return
                said = answer.text
            time.sleep(0.05)
    raise Refused(f"it did not get ready: {said}", "200 of /readyz", "read its log below")


def check(url: str, build: Build, host: str) -> str:
    """Ask the service at `url` everything; return how much. Raises `Refused` with all faults."""
    with httpx.Client(base_url=url, headers={"Host": host}, timeout=10, trust_env=False) as client:
        try:
            faults = [fault for question in CHECKS for fault in question(client, build)]
        except httpx.TransportError as error:
            raise Refused(f"no answer: {error}", "an answer to each question") from error
    if faults:
        raise Refused("the smoke test failed", output="\n".join(faults))
    return f"{len(CHECKS)} questions"


def is_that_build(client: httpx.Client, build: Build) -> Iterator[str]:
    said = client.get("/health").json()
    for key, expected in (("version", build.version), ("releaseId", build.commit)):
        if said.get(key) != expected:
            yield f"/health: found {key} {said.get(key)!r}; expected {expected!r}"


def does_real_work(client: httpx.Client, _: Build) -> Iterator[str]:
    path = _real_path()
    answer = client.get(path)
    if answer.status_code != 200:
        yield f"{path}: found {answer.status_code}; expected 200"
    if not answer.headers.get("content-type", "").startswith("application/json"):
        yield f"{path}: found {answer.headers.get('content-type')}; expected JSON"


def explains_errors(client: httpx.Client, _: Build) -> Iterator[str]:
    answer = client.get("/no-such-path")
    if answer.status_code != 404:
        yield f"/no-such-path: found {answer.status_code}; expected 404"
    elif missing := MEMBERS - _problem(answer).keys():
        yield f"/no-such-path: the problem lacks {', '.join(sorted(missing))}"


def sends_its_headers(client: httpx.Client, _: Build) -> Iterator[str]:
    path = _real_path()
    headers = client.get(path).headers
    if not headers.get("x-request-id"):
        yield f"{path}: found no X-Request-ID"
    for name, expected in HEADERS.items():
        if headers.get(name) != expected:
            yield f"{path}: found {name}: {headers.get(name)}; expected {expected}"


def _real_path() -> str:
    return load.read(shell.ROOT).routes[0].request.path


def _problem(answer: httpx.Response) -> Mapping[str, object]:
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.json() if is_problem else {}


CHECKS = (is_that_build, does_real_work, explains_errors, sends_its_headers)
