"""The running service as seen from outside: started with production's settings and sent requests.

Only what must differ does: a free port, dummy secrets and the keys of an issuer of its own. Each
canary is a text that must not show up again.
"""

import json
import secrets
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import httpx

from vitals.ops.check import config
from vitals.ops.check.security.operations import Operation
from vitals.ops.check.security.requests import DESCRIPTION, PUBLIC, VALID, Requests, Sent
from vitals.ops.env_files import Configuration
from vitals.ops.measure import load
from vitals.ops.project.token import Issuer, publish
from vitals.ops.run import project_file, shell
from vitals.ops.run.steps import Refused
from vitals.ops.services.serving import serving
from vitals.settings import PREFIX, REFERENCE, secret_names

SERVICE = "vitals.ops.check.security.defective"
ANSWER_SECONDS, BODY_SECONDS = 10, 0.5
PROBLEM, HEALTH = "application/problem+json", "application/health+json"
MOST = 2_000_000  # bytes of an answer
SENT = ("path", "query", "header", "body", "password", "defect", "credentials", "environment")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Answer(NamedTuple):
    operation: Operation
    kind: str  # such as "without a token"
    status: int
    headers: httpx.Headers
    text: str

    @property
    def shape(self) -> tuple[str, set[str]]:
        """The media type, and the members of an object of JSON."""
        found = None
        with suppress(ValueError):
            found = json.loads(self.text)
        kind = self.headers.get("Content-Type", "nothing")
        return kind, set(found) if isinstance(found, dict) else set()


class Observed(NamedTuple):
    """What the service showed."""

    canaries: dict[str, str]  # what was sent or set, by its place
    unguarded: list[str]  # the routes that don't say who may call them
    operations: list[Operation]
    answers: list[Answer]
    log: list[tuple[str, str]]  # the operation, or nothing, and the line
    own_tokens: bool = False  # a function of its own verifies them; APP_AUTH has no effect
    own_errors: bool = False  # a function of its own gives errors their shape

    @property
    def error_shape(self) -> tuple[str, set[str]]:
        """The media type and the members of each error; where the team's function gives them
        their shape, those of an error of the engine."""
        if not self.own_errors:
            return PROBLEM, set()
        return next(a.shape for a in self.answers if a.operation.name == "GET /no-such-path")

    @property
    def not_reached(self) -> list[str]:
        """The operations that refused the request that should be valid, with the status."""
        first = {each.operation.name: each.status for each in reversed(self.answers)}
        of_each = ((each.name, first[each.name]) for each in self.operations)
        return [f"{name} ({n})" for name, n in of_each if n in (401, 403, 422, 500, 503)]


def canaries_in(text: str, canaries: Mapping[str, str]) -> Iterator[str]:
    """The canaries that a text holds: as they are, in a URL, in hexadecimal or in Base64."""
    plain = f"{text}\n{unquote(text)}".lower()
    for place, canary in canaries.items():
        codes = (b64encode(b" " * n + canary.encode()).decode()[n + n // 2 : -4] for n in (0, 1, 2))
        forms = (canary.lower(), canary.encode().hex())
        if any(form in plain for form in forms) or any(code in text for code in codes):
            yield place


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


def running_service() -> Observed:
    """Start the service as production runs it, send it all requests, stop it, read its log.

    Raises Refused when it does not start, or ends meanwhile.
    """
    values, issuer = Configuration(shell.ROOT).values("production"), Issuer()
    host = (values.get("APP_ALLOWED_HOSTS") or "localhost").split(",")[0].replace("*", "any")
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private)
        publish(folder, issuer)
        settings, canaries = dummy_secrets(folder)
        canaries |= {place: "".join(map(secrets.choice, [LETTERS] * 14)) for place in SENT}
        given = {"APP_SERVER_TIMING": "false", **values, **config.FROM_THE_IMAGE, **settings}
        environment = given | issuer.settings(folder) | {"APP_HOST": "127.0.0.1"}
        for name in ("APP_COMMIT", "APP_PORT"):  # `serving` has its own
            environment.pop(name, None)
        environment |= {"CANARY": canaries["environment"], DESCRIPTION: f"{folder}/all"}
        with (
            serving(environment, module=SERVICE, host=host, healthy=False) as served,
            httpx.Client(base_url=served.url, timeout=ANSWER_SECONDS) as client,
        ):
            client.headers["Host"] = host
            described = json.loads((folder / "all").read_text())
            operations = [Operation(*each) for each in described["operations"]]
            requests = Requests(client, issuer, canaries, load.read(shell.ROOT))
            names, answers = dict[str, str](), list[Answer]()
            for sent in requests.all(operations, described["defects"]):
                names[sent.request.headers["X-Request-ID"]] = sent.operation.name
                answers.append(receive(client, sent))
            served.program.stop()
            lines = filter(None, served.log.read_text(errors="replace").split("\n"))
        log_lines = [(names.get(_request_id(line), ""), line) for line in lines]
        canaries["a path"] = private
        silent, own = described["unguarded"], (described["own_tokens"], described["own_errors"])
        return Observed(canaries, silent, operations, answers, log_lines, *own)


def receive(client: httpx.Client, sent: Sent) -> Answer:
    """Send a request; of an answer that is long or has no end, take the beginning.

    What a POST has created is used in the requests that are made after it.
    """
    body, end = b"", time.monotonic() + BODY_SECONDS
    try:
        response = client.send(sent.request, stream=True)
    except httpx.TransportError as error:
        raise Refused(f"{sent.operation.name} {sent.kind}: {error!r}", "an answer") from error
    sent.request.extensions["timeout"]["read"] = BODY_SECONDS
    with suppress(httpx.TransportError), closing(response):
        for part in response.iter_bytes():
            body += part
            if len(body) > MOST or time.monotonic() > end:
                break
    text = body.decode(errors="replace")
    if sent.operation.method == "POST" and sent.kind in (VALID, PUBLIC) and response.is_success:
        with suppress(ValueError):
            sent.created[sent.request.url.path] = json.loads(text)
    return Answer(sent.operation, sent.kind, response.status_code, response.headers, text)


def _request_id(line: str) -> str:
    """The request that a line of the log is about; empty where it names none."""
    with suppress(ValueError, AttributeError):
        return str(json.loads(line).get("request_id", ""))
    return ""
