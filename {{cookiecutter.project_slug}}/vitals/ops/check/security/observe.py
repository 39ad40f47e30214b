"""What does the service show from outside? It is started with production's settings and asked.

Only what must differ does: free port, stand-ins for the secrets, keys of an issuer of our own, and
the description of its routes switched on. Each canary is a text that may not show up again.
"""

import http.client
import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from vitals.ops.check.security.evidence import Answer
from vitals.ops.check.security.requests import requests
from vitals.ops.project.token import Issuer, publish
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused
from vitals.settings import PREFIX, REFERENCE, Settings, load, secret_names

SERVICE = "tests.defective"
START_SECONDS = 20
PLACES = ("query", "header", "body", "exception", "token", "upload", "ops", "url")


class Observed(NamedTuple):
    answers: Mapping[str, Answer]
    description: Mapping[str, Any]
    log: str
    canaries: Mapping[str, str]


def stand_ins(folder: Path, canaries: Mapping[str, str]) -> dict[str, str]:
    """A secret of its own kind for each setting that holds one, as files; returns the settings."""
    for name in secret_names():
        examples = Settings.model_fields[name].examples
        looks = str(examples[0]).format(password=canaries["url"]) if examples else canaries["ops"]
        (folder / name).write_text(looks)
    given = {PREFIX + name.upper(): REFERENCE + name for name in secret_names()}
    return given | {"APP_SECRETS_DIR": str(folder)}


def observe(values: Mapping[str, str]) -> Observed:
    """Start the service with `values`, ask it everything, stop it, read its log."""
    canaries = {place: f"canary{place}{secrets.token_hex(12)}" for place in PLACES}
    issuer, stranger = Issuer(), Issuer()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish(folder, issuer)
        environment = {
            **values,
            **stand_ins(folder, canaries),
            **issuer.settings(folder),
            "APP_HOST": "127.0.0.1",
            "APP_PORT": str(port := shell.free_port()),
            "APP_DOCS": "true",
            "APP_COMMIT": (mark := secrets.token_hex(20)),
            "APP_VERSION": "v0.0.0",
        }
        settings = load(environment)
        host = next(iter(settings.allowed_hosts), "localhost").replace("*", "any")
        with _started(environment, folder / "log", lambda: mark in _health(port, host)):
            described = _ask(port, host, "GET", "/openapi.json", {}, b"")
            description = json.loads(described.body)
            asked = requests(settings, issuer, stranger, canaries, description)
            answers = {
                title: _ask(port, r.headers.get("Host", host), r.method, r.path, r.headers, r.body)
                for title, r in asked.items()
            }
        log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    return Observed(answers, description, log, canaries)


@contextmanager
def _started(
    environment: Mapping[str, str], log: Path, is_ours: Callable[[], bool]
) -> Iterator[None]:
    command = [shell.PYTHON, "-m", SERVICE]
    with (
        log.open("wb") as output,
        shell.Program(command, environment=environment, output=output) as program,
    ):
        if not program.wait_until(is_ours, START_SECONDS):
            said = log.read_text(errors="replace")
            raise Refused("the service does not start with production's settings", output=said)
        yield


def _health(port: int, host: str) -> str:
    try:
        return _ask(port, host, "GET", "/health", {}, b"").body
    except OSError:
        return ""


def _ask(
    port: int, host: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None
) -> Answer:
    """Send a request as it is written; None for the body declares one and sends nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": host, **headers}.items():
            connection.putheader(name, value)
        if body and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        return Answer(answer.status, tuple(answer.getheaders()), text)
    except (http.client.HTTPException, ConnectionError):
        return Answer(0)
    finally:
        connection.close()
