"""The running service as seen from outside: started with production's settings and sent requests.

Only what must differ does: a free port, dummy secrets, the keys of an issuer of its own, and the
description of its routes switched on. Each canary is a text that must not show up again.
"""

import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from vitals.ops.check import config
from vitals.ops.check.security import requests
from vitals.ops.project.token import Issuer, publish
from vitals.ops.run import project_file, shell
from vitals.ops.run.steps import Refused
from vitals.settings import PREFIX, REFERENCE, secret_names

SERVICE = [shell.PYTHON, "-m", "vitals.ops.check.security.defective"]
START_SECONDS = 20
REFUSED = 2  # the exit code of a service that a route, or a setting, keeps from starting
SENT = ("query", "header", "body", "defect")  # where a request holds a canary


class Answer(NamedTuple):
    """An answer of the service, to one request."""

    operation: str  # such as "POST /items"
    kind: str  # such as "without a token"
    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    def header(self, name: str) -> str:
        """The values of a header by comma; empty if it is not there."""
        return str(self.response.headers.get(name, ""))


class Observed(NamedTuple):
    """What the service showed; `refused` says, by route, why it did not start."""

    canaries: Mapping[str, str]  # by the place of each
    log: str = ""
    refused: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    description: Mapping[str, Any] = {}

    @property
    def operations(self) -> Mapping[str, Mapping[str, Any]]:
        """The operations of the description, such as "POST /items"."""
        return requests.operations_of(self.description)

    def guarded(self) -> set[str]:
        """The operations that require a token."""
        return {name for name, operation in self.operations.items() if operation.get("security")}


def dummy_secrets(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Write a secret of its own for each setting that holds one; return settings and canaries."""
    settings_type = project_file.load_settings_type()
    settings, canaries = {"APP_SECRETS_DIR": str(folder)}, dict[str, str]()
    for name in secret_names(settings_type):
        canary = canaries[PREFIX + name.upper()] = secrets.token_urlsafe(24)
        examples = settings_type.model_fields[name].examples or ["{password}"]
        if name == "database_url":  # a real one, so that handlers get data
            examples = [f"sqlite:///{folder}/{{password}}.db"]
        (folder / name).write_text(str(examples[0]).format(password=canary))
        settings[PREFIX + name.upper()] = REFERENCE + name
    return settings, canaries


def observe(values: Mapping[str, str]) -> Observed:
    """Start the service with `values`, send it all requests, stop it, read its log."""
    issuer, mark, port = Issuer(), secrets.token_hex(20), str(shell.free_port())
    host = (values.get("APP_ALLOWED_HOSTS") or "localhost").split(",")[0].replace("*", "any")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish(folder, issuer)
        settings, canaries = dummy_secrets(folder)
        canaries |= {place: f"canary{secrets.token_hex(8)}" for place in SENT}
        environment = {**values, **config.FROM_THE_IMAGE, **settings, **issuer.settings(folder)}
        environment |= {"APP_HOST": "127.0.0.1", "APP_PORT": port, "APP_COMMIT": mark}
        environment["APP_DOCS"] = "true"
        with (
            (folder / "log").open("wb") as output,
            shell.Program(SERVICE, environment=environment, output=output) as program,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": host}) as client,
        ):
            started = program.wait_until(lambda: mark in _health(client), START_SECONDS)
            description = client.get("/openapi.json").json() if started else {}
            answers = tuple(_answers(client, description, issuer, canaries)) if started else ()
        log = (folder / "log").read_text(errors="replace")
    if started:
        return Observed(canaries, log, (), answers, description)
    if program.code == REFUSED:
        return Observed(canaries, refused=tuple(re.findall(r"^(.+)\. Fix: ", log, re.MULTILINE)))
    raise Refused("the service does not start with production's settings", output=log)


def _answers(
    client: httpx.Client, description: Mapping[str, Any], issuer: Issuer, canaries: dict[str, str]
) -> Iterator[Answer]:
    for operation, kind, request in requests.requests(client, description, issuer, canaries):
        try:
            yield Answer(operation, kind, client.send(request))
        except httpx.TransportError as error:
            raise Refused(f"{operation} {kind}: {error!r}", "an answer") from error


def _health(client: httpx.Client) -> str:
    try:
        return client.get("/health").text
    except httpx.TransportError:
        return ""
