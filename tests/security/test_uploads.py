"""An upload that is too large costs nothing but its refusal."""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.conftest import Guarded

HUNDRED_MB = 100_000_000
CHUNK = b"\0" * 65_536
FORM = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
MAX_GROWTH_MB = 8


def chunks() -> Iterator[bytes]:
    """A form that begins with a file, and has no end within 100 MB."""
    yield FILE
    for _ in range(HUNDRED_MB // len(CHUNK)):
        yield CHUNK


def peak_mb(guarded: Guarded) -> float:
    status = Path(f"/proc/{guarded.service.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000


def put(guarded: Guarded, path: str, body: Iterator[bytes], **headers: str) -> int:
    """The status; the service may hang up before all is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", guarded.service.port, timeout=20)
    sent = {"Authorization": f"Bearer {guarded.token}", "Content-Type": FORM}
    connection.putrequest("PUT", path)
    for name, value in {**sent, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        for part in body:
            size = b"%x\r\n" % len(part) if "Transfer-Encoding" in headers else b""
            connection.send(size + part + (b"\r\n" if size else b""))
    except ConnectionError:
        pass  # it did not want to read on
    try:
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": str(HUNDRED_MB)}, {"Transfer-Encoding": "chunked"}],
    ids=["declared", "chunked"],
)
def test_a_hundred_megabytes_are_413_and_leave_nothing(
    guarded: Guarded, headers: dict[str, str]
) -> None:
    assert guarded.service.ask("/livez").status == 200
    before = peak_mb(guarded)

    status = put(guarded, "/items/1/attachment", chunks(), **headers)

    grown = peak_mb(guarded) - before
    print(f"{status}, memory +{grown:.1f} MB")
    assert status == 413
    assert grown <= MAX_GROWTH_MB
    assert guarded.service.ready()
