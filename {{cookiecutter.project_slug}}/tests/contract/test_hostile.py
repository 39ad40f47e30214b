"""Hostile requests, byte by byte on a raw socket: none breaks the service."""

import json
import re
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

from tests.contract import hostile
from vitals.ops.measure import load
from vitals.ops.services.serving import Served

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
ANSWER_SECONDS = 5
CLOSE = "Connection: close"

Address = tuple[str, int]

if not hostile.PLAN.routes:
    pytest.skip(load.NOTHING, allow_module_level=True)


@pytest.fixture
def address(service: Served) -> Address:
    return "127.0.0.1", urlsplit(service.url).port or 0


def exchange(address: Address, data: bytes, *, and_leave: bool) -> bytes:
    """Send bytes, and return all that comes back until the service closes the connection.

    With `and_leave` the client closes its side at once: the service cancels a request that it has
    not answered. Without it, the request must ask for `Connection: close`.
    """
    received = b""
    with socket.create_connection(address, timeout=ANSWER_SECONDS) as connection:
        try:
            connection.sendall(data)
            if and_leave:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                received += chunk
        except TimeoutError:
            raise
        except OSError:  # closed or reset by the service
            return received
    return received


def faults(received: bytes) -> Iterator[str]:
    """What is wrong with the answers: a server error, or an error in another shape."""
    for answer in re.split(rb"(?=HTTP/1\.1 \d{3} )", received):
        status = int(match[1]) if (match := STATUS.match(answer)) else 0
        head, _, body = answer.partition(b"\r\n\r\n")
        if status >= 500:
            yield f"the status is {status}"
        if status >= 400 and body:
            if b"content-type: application/problem+json" not in head.lower():
                yield f"{status} has another shape: {body[:80]!r}"
            elif json.loads(body)["status"] != status:
                yield f"{status} has another status in its body"
        elif status >= 400 and b"connection: close" not in head.lower():
            yield f"{status} is empty, and the connection stays open"


@pytest.mark.parametrize("name", hostile.EVERY)
def test_a_malformed_request_never_breaks_the_service(address: Address, name: str) -> None:
    assert list(faults(exchange(address, hostile.EVERY[name], and_leave=True))) == []


@pytest.mark.parametrize("name", hostile.SMUGGLING)
def test_no_request_is_smuggled_in_the_body_of_another(address: Address, name: str) -> None:
    answers = STATUS.findall(exchange(address, hostile.SMUGGLING[name], and_leave=True))

    assert len(answers) <= 1, answers  # the connection is closed after an ambiguous length


@pytest.mark.skipif(not hostile.WITH_FIELDS, reason="nothing to test yet: no seed has a body")
@pytest.mark.parametrize("name", hostile.SURROGATES)
def test_a_lone_surrogate_is_refused(address: Address, name: str) -> None:
    assert STATUS.findall(exchange(address, hostile.SURROGATES[name], and_leave=True)) == [b"422"]


def requests_with(text: str) -> Iterator[bytes]:
    """Requests with the text in every place that a client controls."""
    encoded = quote(text, safe="")
    one_line = re.sub("[\r\n\0]", "", text).encode().decode("latin-1")
    yield from map(hostile.read, (f"/{encoded}", f"?limit={encoded}", f"?{encoded}=1"))
    yield hostile.get(f"X-Request-ID: {one_line}", CLOSE)
    yield hostile.get(f"Authorization: Bearer {one_line}", CLOSE)
    fields = [{**hostile.SEED.body, name: text} for name in hostile.SEED.body]
    for sent in (*fields, {text: text}, text):
        yield hostile.write_body(json.dumps(sent), CLOSE)


def test_hostile_texts_never_break_the_service_in_any_place(address: Address) -> None:
    texts = [text for group in hostile.TEXTS.values() for text in group]
    requests = [request for text in texts for request in requests_with(text)]

    answers = {request: exchange(address, request, and_leave=False) for request in requests}

    broken = {sent[-200:]: found for sent, got in answers.items() if (found := [*faults(got)])}
    assert broken == {}
    assert [sent for sent, got in answers.items() if not STATUS.match(got)] == []
    assert len(requests) > 800
