"""Hostile requests: malformed ones, and ones that hide a second request in their body.

hostile.json has them, from published tests of request smuggling (RFC 9112, 11.2) and of HTTP
parsers. They go to /livez, /items and POST /items.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

DATA: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
HOST = "Host: localhost"
CHUNKED = "Transfer-Encoding: chunked"
LAST_CHUNK = "0\r\n\r\n"


def request(line: str, *headers: str, body: str = "") -> bytes:
    """A raw request; each character becomes one byte."""
    return "\r\n".join([line, *headers, "", body]).encode("latin-1")


def get(*headers: str) -> bytes:
    return request("GET /livez HTTP/1.1", HOST, *headers)


def read(suffix: str) -> bytes:
    """A request for a list, with a text after its path."""
    return request(f"GET /items{suffix} HTTP/1.1", HOST, "Connection: close")


def write(*headers: str, body: str = "{}", content_type: str = "application/json") -> bytes:
    """A request that creates something."""
    return request(
        "POST /items HTTP/1.1", HOST, f"Content-Type: {content_type}", *headers, body=body
    )


def write_body(body: str, *headers: str, content_type: str = "application/json") -> bytes:
    """A request whose Content-Length is that of its body."""
    return write(f"Content-Length: {len(body)}", *headers, body=body, content_type=content_type)


SMUGGLED = request("DELETE /smuggled HTTP/1.1", HOST)
UPGRADES = ("h2c", "websocket", "TLS/1.2", "foo")  # ignored, so the body is the body
HIDING: Mapping[str, Callable[[str], bytes]] = {
    "lengths": write,
    "codings": lambda text: write(text, body=LAST_CHUNK),
    "chunks": lambda text: write(CHUNKED, body=text),
}
SMUGGLING = (
    {
        f"{family}: {text!a}": HIDING[family](text) + SMUGGLED
        for family, texts in DATA["smuggling"].items()
        for text in texts
    }
    | {
        f"upgrade: {name}": write_body(
            SMUGGLED.decode(), "Connection: Upgrade", f"Upgrade: {name}", content_type="text/plain"
        )
        for name in UPGRADES
    }
    | {
        "chunked in HTTP/1.0": write(CHUNKED, "Content-Length: 5", body=LAST_CHUNK).replace(
            b"HTTP/1.1", b"HTTP/1.0", 1
        )
        + SMUGGLED,
    }
)

SENDING: Mapping[str, Callable[[str], bytes]] = {
    "lengths": lambda text: write(f"Content-Length: {text}"),
    "chunks": lambda text: write(CHUNKED, body=text),
    "codings": lambda text: write(text, body=LAST_CHUNK) + SMUGGLED,  # seen by every reader
    "headers": get,
    "request lines": lambda text: request(text, HOST),
    "targets": lambda text: request(f"GET {text} HTTP/1.1", HOST),
    "paths": read,
    "hosts": lambda text: request("GET /livez HTTP/1.1", *filter(None, [text])),
    "content headers": lambda text: write_body("{}", text),
    "content types": lambda text: write_body("{}", content_type=text),
    "bodies": write_body,
    "other protocols": lambda text: text.encode("latin-1"),
}
SURROGATES = {
    "a lone surrogate in each field": write_body(json.dumps({"name": "\ud800"})),
    "a lone surrogate as a key": write_body('{"\\udfff": 1}'),
    "nothing but surrogates": write_body('"\\ud83d\\ud83d"'),
}
MALFORMED = {
    f"{family}: {text!a}": SENDING[family](text)
    for family, texts in DATA["malformed"].items()
    for text in texts
} | {
    "no content type": request("POST /items HTTP/1.1", HOST, "Content-Length: 2", body="{}"),
    "a negative length without a body": write("Content-Length: -1", body=""),
    "half a body": write("Content-Length: 2000", body="{"),
    "more than is sent": write("Content-Length: 99999999999", "Expect: 100-continue", body=""),
    "an endless chunk extension": write(CHUNKED, body=f"2;{'a' * 70_000}\r\n{{}}\r\n0\r\n\r\n"),
    "ten thousand headers": get(*(f"A{number}: b" for number in range(10_000))),
    "a header of 1 MB": get("A: " + "b" * 1_000_000),
    "a method of 1,000 letters": request("G" * 1_000 + " /livez HTTP/1.1", HOST),
    "a path of 40,000 letters": request(f"GET /{'a' * 40_000} HTTP/1.1", HOST),
    "a thousand query fields": read("?" + "a=b&" * 1_000),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"A" * 200,
    "random bytes": bytes(range(256)) * 4,
}
EVERY = MALFORMED | SMUGGLING | SURROGATES
