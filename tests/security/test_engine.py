"""What only the engine can break, in one service on a real socket, with production's settings.

These are the promises of the security checklist that no file of a project can break.
"""

import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.baking import IN_PLACE, ROOT
from vitals.ops.project.token import Issuer, publish
from vitals.ops.run import shell

OPS_TOKEN = "q8Zr2Lx7Wv4Tn9Ks1Yb6"
YEAR = 365 * 24 * 3600
SETTINGS = {
    "APP_ENVIRONMENT": "production",
    "APP_VERSION": "v1.0.0",
    "APP_COMMIT": "0" * 40,
    "APP_HOST": "127.0.0.1",
    "APP_LOG_LEVEL": "info",
    "APP_LOG_FORMAT": "json",
    "APP_OPS_TOKEN": OPS_TOKEN,
    "APP_ALLOWED_HOSTS": "api.internal",
    "APP_CORS_ORIGINS": "https://shop.internal",
    "APP_CORS_HEADERS": "Content-Type",
    "APP_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8",
    "APP_MAX_CONNECTIONS": "100",
    "APP_MAX_HEADER_BYTES": "8192",
    "APP_MAX_BODY_BYTES": "2048",
    "APP_MAX_UPLOAD_BYTES": "4096",
    "APP_REQUEST_READ_SECONDS": "10",
    "APP_REQUEST_SECONDS": "10",
    "APP_KEEP_ALIVE_SECONDS": "10",
    "APP_DRAIN_SECONDS": "0",
    "APP_SHUTDOWN_SECONDS": "5",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Permissions-Policy": "camera=()",
}
JSON = {"Content-Type": "application/json"}
CHUNKED = {**JSON, "Transfer-Encoding": "chunked"}
# A request and its status: method, path, headers, body.
REQUESTS: dict[str, tuple[int, str, str, dict[str, str], bytes]] = {
    "an answer": (200, "GET", "/notes", {}, b""),
    "an unknown path": (404, "GET", "/nowhere", {}, b""),
    "another method": (405, "DELETE", "/notes", {}, b""),
    "TRACE": (405, "TRACE", "/notes", {}, b""),
    "a method of WebDAV": (405, "PROPFIND", "/notes", {}, b""),
    "another host": (400, "GET", "/notes", {"Host": "evil.internal"}, b""),
    "no token": (401, "POST", "/notes", JSON, b'{"text": "x"}'),
    "a defect": (500, "GET", "/defect?say=x", {}, b""),
    "a missing parameter": (422, "GET", "/defect", {}, b""),
    "a large body": (413, "POST", "/notes", JSON, b" " * 2049),
    "a large body in chunks": (413, "POST", "/notes", CHUNKED, b"900\r\n" + b" " * 0x900),
    "the operators' metrics": (401, "GET", "/metrics", {}, b""),
    "the operators' page": (401, "GET", "/status", {}, b""),
    "the operators' data": (401, "GET", "/status.json", {}, b""),
    "a wrong operators' token": (401, "GET", "/metrics", {"Authorization": "Bearer no"}, b""),
    "the description": (404, "GET", "/openapi.json", {}, b""),
}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: str


class RunningEngine(NamedTuple):
    port: int
    log: Path
    issuer: Issuer

    def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": "api.internal", **(headers or {})}
            if body and "Transfer-Encoding" not in sent:
                sent["Content-Length"] = str(len(body))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def lines_of(self, answer: Answer) -> list[dict[str, object]]:
        """The lines of the log about a request, once its access line is there."""
        request_id = answer.headers["X-Request-ID"]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            whole, _, _ = self.log.read_text().rpartition("\n")  # the last may be half there
            lines = [json.loads(line) for line in whole.splitlines()]
            found = [line for line in lines if line.get("request_id") == request_id]
            if any(line.get("event") == "request" for line in found):
                return found
        raise AssertionError(f"no line for {request_id} within 10 s")


@contextmanager
def running(folder: Path, environment: str) -> Iterator[RunningEngine]:
    issuer, port = Issuer(), shell.free_port()
    publish(folder, issuer)
    given = {**os.environ, **SETTINGS, **issuer.settings(folder), "APP_PORT": str(port)}
    given["PYTHONPATH"] = f"{ROOT}{os.pathsep}{IN_PLACE}"
    given["APP_ENVIRONMENT"] = environment
    command = [sys.executable, "-m", "tests.security.engine"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=given, stdout=log, stderr=log)
    engine = RunningEngine(port, folder / "log", issuer)
    try:
        deadline = time.monotonic() + 20
        while not answers(engine):
            assert process.poll() is None, engine.log.read_text()
            assert time.monotonic() < deadline, "the service did not start within 20 s"
        yield engine
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningEngine]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running(tmp_path_factory.mktemp(name), name))
            for name in ("staging", "production")
        }


@pytest.fixture(scope="module")
def engine(engines: dict[str, RunningEngine]) -> RunningEngine:
    return engines["production"]


def answers(running: RunningEngine) -> bool:
    try:
        return running.send("GET", "/livez").status == 200
    except OSError:
        return False


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_answer_has_all_headers_an_id_and_names_no_software(
    engine: RunningEngine, name: str
) -> None:
    status, method, path, headers, body = REQUESTS[name]

    answer = engine.send(method, path, headers, body)

    assert answer.status == status
    missing = [n for n, part in HEADERS.items() if part not in answer.headers.get(n, "")]
    assert missing == []
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    https = re.match(r"max-age=(\d+)", answer.headers["Strict-Transport-Security"])
    assert https
    assert int(https[1]) >= YEAR
    assert [name for name in ("Server", "X-Powered-By") if name in answer.headers] == []
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("head", ["/livez", "/" + "x" * 9000], ids=["headers", "a path"])
def test_what_the_parser_refuses_names_no_software(engine: RunningEngine, head: str) -> None:
    answer = engine.send("GET", head, {"X-Long": "x" * 9000})

    assert answer.status == 431
    assert "Server" not in answer.headers


@pytest.mark.parametrize("body", [b"[" * 1000, b'{"text": NaN}', b'{"text": "\\ud800"}', b"\xff"])
def test_malformed_json_is_refused_and_is_no_server_error(
    engine: RunningEngine, body: bytes
) -> None:
    token = bearer(engine.issuer.token("notes:write"))

    assert engine.send("POST", "/notes", JSON | token, body).status in (400, 422)


def test_content_that_is_not_declared_as_json_is_not_read_as_json(engine: RunningEngine) -> None:
    sent = {"Content-Type": "text/plain"} | bearer(engine.issuer.token("notes:write"))

    assert engine.send("POST", "/notes", sent, b'{"text": "x"}').status in (415, 422)


def test_the_public_sees_no_reason_in_health(engine: RunningEngine) -> None:
    answer = engine.send("GET", "/health")

    assert [w for w in ("output", "observedValue", "changes") if f'"{w}"' in answer.body] == []


def test_a_foreign_page_reads_nothing_and_a_named_one_without_credentials(
    engine: RunningEngine,
) -> None:
    foreign = engine.send("GET", "/notes", {"Origin": "https://evil.internal"})
    named = engine.send("GET", "/notes", {"Origin": "https://shop.internal"})

    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert named.headers["Access-Control-Allow-Origin"] == "https://shop.internal"
    assert "Access-Control-Allow-Credentials" not in [*foreign.headers, *named.headers]


@pytest.mark.parametrize(
    ("token", "status"),
    [("", 401), ("stranger", 401), ("another scope", 403)],
    ids=["none", "of a stranger", "of another scope"],
)
def test_a_refused_token_is_one_line_of_the_log(
    engine: RunningEngine, token: str, status: int
) -> None:
    tokens = {"stranger": Issuer().token("notes:write"), "another scope": engine.issuer.token("x")}
    sent = bearer(tokens[token]) if token else {}

    answer = engine.send("POST", "/notes", JSON | sent, b'{"text": "x"}')

    (line,) = engine.lines_of(answer)
    assert (answer.status, line["status"], line["route"]) == (status, status, "/notes")


def test_a_defect_is_logged_once_with_its_frames_and_without_its_text(
    engine: RunningEngine,
) -> None:
    canary = secrets.token_hex(12)

    answer = engine.send("GET", f"/defect?say={canary}")

    lines = engine.lines_of(answer)
    assert [("exception" in line) for line in lines].count(True) == 1
    assert canary not in answer.body + engine.log.read_text()


def test_nothing_that_is_sent_is_in_the_log(engine: RunningEngine) -> None:
    canaries = [secrets.token_hex(12) for _ in range(3)]
    query, header, body = canaries
    token = engine.issuer.token("notes:write")
    sent = {**JSON, **bearer(token), "X-Canary": header, "Cookie": header}

    answer = engine.send("POST", f"/notes?canary={query}", sent, f'{{"text": "{body}"}}'.encode())

    assert answer.status == 200
    assert len(engine.lines_of(answer)) == 2
    written = engine.log.read_text()
    assert [text for text in (*canaries, token.rpartition(".")[2]) if text in written] == []


def test_no_request_can_forge_a_line_or_reach_the_terminal(engine: RunningEngine) -> None:
    answer = engine.send("GET", "/nowhere%0a%0dFORGED%1b[31m", {"X-Request-ID": "a b;c"})

    engine.lines_of(answer)
    written = engine.log.read_text()
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", written) is None
    assert "FORGED" not in written
    assert [line for line in written.splitlines() if json.loads(line) == {}] == []


# What a request could claim; the first is what a proxy on the same host that adds nothing sends.
CLAIMS: dict[str, dict[str, str]] = {
    "nothing": {},
    "the loopback address": {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
    "an address of a trusted proxy": {"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1"},
    "another host": {"X-Forwarded-Host": "localhost"},
    "https": {"X-Forwarded-Proto": "https"},
}


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("claim", CLAIMS)
def test_nobody_is_an_operator_or_may_write_by_an_address_or_a_header(
    engines: dict[str, RunningEngine], environment: str, claim: str
) -> None:
    engine, claimed = engines[environment], CLAIMS[claim]

    operators = ("/metrics", "/status", "/status.json")
    answers = [engine.send("GET", path, claimed) for path in operators]
    answers.append(engine.send("POST", "/notes", JSON | claimed, b'{"text": "x"}'))
    health = engine.send("GET", "/health", claimed)
    described = engine.send("GET", "/openapi.json", claimed)

    assert {answer.status for answer in answers} == {401}
    assert "changes" not in health.body
    assert described.status == 404
