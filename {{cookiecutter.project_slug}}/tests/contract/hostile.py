"""Hostile requests: malformed ones, and such that hide a second request in their body.

They come from published tests of request smuggling (RFC 9112, 11.2) and of HTTP parsers, the texts
from the categories of the Big List of Naughty Strings. They go to the first route of
config/slo.toml, and its first seed.
"""

import json
from pathlib import Path

from vitals.ops.measure import load
from vitals.ops.run import shell

PLAN = load.read(shell.ROOT)
READ = PLAN.routes[0].request.path.partition("?")[0] if PLAN.routes else "/"
WITH_FIELDS = [seed for seed in PLAN.seeds if isinstance(seed.body, dict)]
SEED = next(iter(WITH_FIELDS), load.Request("POST", READ, {"name": "x"}))
WRITE = f"{SEED.method} {SEED.path} HTTP/1.1"

TEXTS: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("hostile_texts.json").read_text(encoding="utf-8")
)
TEXTS["long"] = ["A" * 201, "é" * 5_000, "👩" * 2_000, "((((" * 500, "a/" * 500]

HOST = "Host: localhost"
CHUNKED = "Transfer-Encoding: chunked"
LAST_CHUNK = "0\r\n\r\n"


def request(line: str, *headers: str, body: str = "") -> bytes:
    """A request of any text; each character is one byte."""
    return "\r\n".join([line, *headers, "", body]).encode("latin-1")


def get(*headers: str) -> bytes:
    return request("GET /livez HTTP/1.1", HOST, *headers)


def read(behind: str) -> bytes:
    """A request for the first route with something behind its path."""
    return request(f"GET {READ}{behind} HTTP/1.1", HOST, "Connection: close")


def post(*headers: str, body: str = "{}", content_type: str = "application/json") -> bytes:
    kind = f"Content-Type: {content_type}"
    return request(WRITE, HOST, kind, *headers, body=body)


def post_body(body: str, *headers: str, content_type: str = "application/json") -> bytes:
    """A body with its right length."""
    length = f"Content-Length: {len(body)}"
    return post(length, *headers, body=body, content_type=content_type)


SMUGGLED = request("DELETE /smuggled HTTP/1.1", HOST)
UNAMBIGUOUS = {  # here the second request begins where every reader sees it
    "a tab before chunked": post("Transfer-Encoding:\tchunked", body=LAST_CHUNK) + SMUGGLED,
    "a coding in capitals": post("TRANSFER-ENCODING: CHUNKED", body=LAST_CHUNK) + SMUGGLED,
}
AMBIGUOUS = {
    # two lengths, or none
    "length and chunked": post("Content-Length: 6", CHUNKED, body=LAST_CHUNK),
    "chunked and length": post(CHUNKED, "Content-Length: 60", body=LAST_CHUNK),
    "two lengths": post("Content-Length: 2", "Content-Length: 40"),
    "lengths in a list": post("Content-Length: 2, 2"),
    "a length with a plus": post("Content-Length: +2"),
    "a hexadecimal length": post("Content-Length: 0x2"),
    # an unknown or hidden coding
    "an unknown coding": post("Transfer-Encoding: xchunked", body=LAST_CHUNK),
    "chunked not last": post("Transfer-Encoding: chunked, gzip", body=LAST_CHUNK),
    "chunked twice": post(CHUNKED, CHUNKED, body=LAST_CHUNK),
    "identity and chunked": post("Transfer-Encoding: identity", CHUNKED, body=LAST_CHUNK),
    "a vertical tab": post("Transfer-Encoding: \x0bchunked", body=LAST_CHUNK),
    "a space before the colon": post(
        "Transfer-Encoding : chunked", "Content-Length: 5", body=LAST_CHUNK
    ),
    "a coding in the next line": post(
        "Transfer-Encoding:\r\n chunked", "Content-Length: 5", body=LAST_CHUNK
    ),
    "a quoted coding": post('Transfer-Encoding: "chunked"', body=LAST_CHUNK),
    "chunked in HTTP/1.0": post(CHUNKED, "Content-Length: 5", body=LAST_CHUNK).replace(
        b"HTTP/1.1", b"HTTP/1.0", 1
    ),
    # broken chunks
    "a chunk without a size": post(CHUNKED, body="\r\n"),
    "a chunk of a negative size": post(CHUNKED, body="-1\r\n"),
    "a chunk with bare line feeds": post(CHUNKED, body="2\n{}\n0\n\n"),
}
SMUGGLING = {name: sent + SMUGGLED for name, sent in AMBIGUOUS.items()}

MALFORMED = {
    # lengths and chunks
    "the same length twice": post("Content-Length: 2", "Content-Length: 2"),
    "a negative length": post("Content-Length: -1", body=""),
    "a length with a space in it": post("Content-Length: 2 2"),
    "a length beyond all numbers": post("Content-Length: " + "9" * 40),
    "an empty length": post("Content-Length:"),
    "a length in full-width digits": post("Content-Length: \xef\xbc\x92"),
    "a chunk of size 0x2": post(CHUNKED, body="0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk beyond all numbers": post(CHUNKED, body="fffffffffffffffff\r\n{}"),
    "a chunk size with a space": post(CHUNKED, body="2 \r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than its size": post(CHUNKED, body="2\r\n{}xx\r\n0\r\n\r\n"),
    "an endless chunk extension": post(CHUNKED, body=f"2;{'a' * 70_000}\r\n{{}}\r\n0\r\n\r\n"),
    "a forbidden trailer": post(
        CHUNKED, body="2\r\n{}\r\n0\r\nContent-Length: 90\r\nHost: x\r\n\r\n"
    ),
    # headers
    "a header without a colon": get("NoColon"),
    "a header without a name": get(": value"),
    "a header with a space in its name": get("A B: value"),
    "a folded header": get("A: b\r\n c"),
    "a folded first header": request("GET /livez HTTP/1.1", " A: b", HOST),
    "NUL in a header": get("A: b\0c"),
    "NUL in a name": get("A\0B: c"),
    "a bare CR in a header": get("A: b\rX-Planted: c"),
    "bare line feeds": get().replace(b"\r", b""),
    "bytes above ASCII in a name": get("\xc3\xa4: b"),
    "bytes above ASCII in a value": get("A: \xff\xfe"),
    "ten thousand headers": get(*(f"A{number}: b" for number in range(10_000))),
    "a header of 1 MB": get("A: " + "b" * 1_000_000),
    # request lines
    "nothing": b"\r\n\r\n\r\n\r\n",
    "a line of spaces": request("    "),
    "no version": request("GET /livez"),
    "HTTP/0.9": request("GET /livez HTTP/0.9", HOST),
    "HTTP/9.9": request("GET /livez HTTP/9.9", HOST),
    "HTTP/1.10": request("GET /livez HTTP/1.10", HOST),
    "http/1.1": request("GET /livez http/1.1", HOST),
    "a method in small letters": request("get /livez HTTP/1.1", HOST),
    "an unknown method": request("PLANTED /livez HTTP/1.1", HOST),
    "a method with a bracket": request("GE{T /livez HTTP/1.1", HOST),
    "a method of 1,000 letters": request("G" * 1_000 + " /livez HTTP/1.1", HOST),
    "a space in the path": request("GET /li vez HTTP/1.1", HOST),
    "NUL in the path": request("GET /livez\0 HTTP/1.1", HOST),
    "backslashes": request("GET \\any\\1 HTTP/1.1", HOST),
    "two slashes": request("GET //evil.internal/any HTTP/1.1", HOST),
    "a whole address": request("GET http://evil.internal/livez HTTP/1.1", HOST),
    "an address with a user": request("GET http://a:b@localhost/livez HTTP/1.1", HOST),
    "a star": request("GET * HTTP/1.1", HOST),
    "a star for OPTIONS": request("OPTIONS * HTTP/1.1", HOST),
    "a tunnel": request("CONNECT evil.internal:443 HTTP/1.1", HOST),
    "an empty path": request("GET  HTTP/1.1", HOST),
    "a path of 40,000 letters": request(f"GET /{'a' * 40_000} HTTP/1.1", HOST),
    # paths and queries
    "an encoded NUL": read("/%00"),
    "an encoded line end": read("/%0d%0aSet-Cookie:%20a"),
    "half an encoding": read("/%f"),
    "broken encodings": read("/%zz%uu0041"),
    "encoded bytes that are not text": read("/%ff%c0%af"),
    "raw bytes": read("/\xff\xfe"),
    "upwards": read("/../../etc/passwd"),
    "encoded upwards": read("/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    "encoded twice": read("/%252e%252e%252f"),
    "a fragment": read("#planted"),
    "a query of encodings": read("?%ff=%00&&&==&limit=%00"),
    "a thousand query fields": read("?" + "a=b&" * 1_000),
    # hosts
    "no host": request("GET /livez HTTP/1.1"),
    "two hosts": get("Host: evil.internal"),
    "a host with a path": request("GET /livez HTTP/1.1", "Host: a/b@c"),
    "an empty host": request("GET /livez HTTP/1.1", "Host:"),
    "a host of bytes": request("GET /livez HTTP/1.1", "Host: \xff\xff"),
    # other protocols
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x41" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 30,
    "an upgrade to h2c": get("Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AA"),
    "an upgrade to a websocket": get(
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
    "an unknown expectation": post_body("{}", "Expect: planted"),
    "an expectation of too much": post(
        "Content-Length: 99999999999", "Expect: 100-continue", body=""
    ),
    "random bytes": bytes(range(256)) * 4,
    "SMTP": b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n\r\n",
    "a proxy line": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + get(),
    "AJP": b"\x12\x34\x00\x01\x0a",
    # codings and types of the body
    "gzip": post_body("\x1f\x8b\x08\x00", "Content-Encoding: gzip"),
    "deflate": post_body("\x78\x9c", "Content-Encoding: deflate"),
    "UTF-16": post_body("\xff\xfe", content_type="application/json; charset=utf-16"),
    "UTF-7": post_body("{}", content_type="application/json; charset=utf-7"),
    "a content type of bytes": post_body("{}", content_type="\xff/json"),
    "two content types": post_body("{}", "Content-Type: text/html"),
    "a broken form": post_body("--x--", content_type="multipart/form-data; boundary=x"),
    "no content type": request(WRITE, HOST, "Content-Length: 2", body="{}"),
    # bodies
    "a byte order mark": post_body("\xef\xbb\xbf{}"),
    "duplicate keys": post_body('{"name":"a","name":"b"}'),
    "a prototype": post_body('{"__proto__": {"admin": true}}'),
    "a class": post_body('{"__class__": "os", "a": "id"}'),
    "a comment": post_body("{/* a */} "),
    "single quotes": post_body("{'name': 'a'}"),
    "lone surrogates": post_body(json.dumps(dict.fromkeys(SEED.body, "\ud800"))),
    "a lone surrogate as a key": post_body('{"\\udfff": 1}'),
    "only surrogates": post_body('"\\ud83d\\ud83d"'),
    "half a body": post("Content-Length: 2000", body="{"),
}
