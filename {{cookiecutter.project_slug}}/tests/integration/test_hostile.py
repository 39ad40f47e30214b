"""Does the service stand what no honest client sends? On the raw socket, byte by byte."""

import json
import re
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

from tests.hostile import ALL_TEXTS, BODY, HOST, MALFORMED, POST, SMUGGLED, read
from vitals.ops.services.serving import Served

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
ANSWER_SECONDS = 5


class Wire:
    """Sends bytes, says that there will be no more, and reads until the end."""

    def __init__(self, url: str) -> None:
        self._address = ("127.0.0.1", urlsplit(url).port or 0)

    def send(self, data: bytes) -> bytes:
        received = b""
        with socket.create_connection(self._address, timeout=ANSWER_SECONDS) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65_536):
                    received += chunk
            except TimeoutError:
                raise
            except OSError:  # the server closed or reset the connection: what came is the answer
                return received
        return received


@pytest.fixture
def wire(service: Served) -> Wire:
    return Wire(service.url)


def faults(received: bytes) -> list[str]:
    """What is wrong with the answers: a 5xx, or an error in another shape."""
    found = []
    for answer in re.split(rb"(?=HTTP/1\.1 \d{3} )", received):
        status = int(match[1]) if (match := STATUS.match(answer)) else 0
        head, _, body = answer.partition(b"\r\n\r\n")
        if status >= 500:
            found.append(f"answered {status}")
        if status >= 400 and body:
            if b"content-type: application/problem+json" not in head.lower():
                found.append(f"{status} has another shape: {body[:80]!r}")
            elif json.loads(body)["status"] != status:
                found.append(f"{status} tells another status")
        elif status >= 400 and b"connection: close" not in head.lower():
            found.append(f"{status} is empty, and the connection stays")
    return found


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused_or_served_but_never_breaks(wire: Wire, name: str) -> None:
    assert faults(wire.send(MALFORMED[name])) == []


@pytest.mark.parametrize("name", [name for name in MALFORMED if SMUGGLED in MALFORMED[name]])
def test_no_request_is_smuggled_in_the_body_of_another(wire: Wire, name: str) -> None:
    """Behind an ambiguous length the connection is closed; else both requests are answered."""
    answers = STATUS.findall(wire.send(MALFORMED[name]))

    unambiguous = ("a tab before chunked", "a coding in capitals")
    assert len(answers) <= (2 if name in unambiguous else 1), answers


def requests_with(text: str) -> Iterator[bytes]:
    """The text in every place that a client fills."""
    raw = text.encode()
    coded = quote(text, safe="").encode()
    one_line = raw.translate(None, b"\r\n\0")
    yield from map(read, (b"/" + coded, b"?limit=" + coded, b"?" + coded + b"=1"))
    yield b"GET /livez HTTP/1.1\r\n" + HOST + b"X-Request-ID: " + one_line + b"\r\n\r\n"
    yield b"GET /livez HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + one_line + b"\r\n\r\n"
    for sent in (*({**BODY, field: text} for field in BODY), {text: text}, text):
        body = json.dumps(sent).encode()
        yield POST + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_hostile_texts_never_break_anything_wherever_they_stand(wire: Wire) -> None:
    sent = [request for text in ALL_TEXTS for request in requests_with(text)]

    broken = [(request[:120], found) for request in sent if (found := faults(wire.send(request)))]

    assert broken == []
    assert len(sent) > 1_000


def test_lone_surrogates_in_every_place_are_refused(wire: Wire) -> None:
    fields = json.dumps(dict.fromkeys(BODY, "\ud800")).encode()
    for body in (fields, b'{"\\udfff": 1}', b'"\\ud83d\\ud83d"'):
        received = wire.send(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)

        assert STATUS.findall(received) == [b"422"]
        assert faults(received) == []
