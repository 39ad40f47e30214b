"""`Upgrade` (RFC 9110, 7.8): a websocket that the application has, or ignored.

For llhttp, the parser, all that follows a head with an Upgrade is another protocol, a body too.
"""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from httptools import HttpRequestParser

FRAMING = frozenset((b"content-length", b"transfer-encoding"))
BODY_EVENTS = ("on_body", "on_chunk_header", "on_message_complete")
Headers = Iterable[tuple[bytes, bytes]]


def is_websocket(method: str, headers: Headers) -> bool:
    """Whether a request asks for a websocket (RFC 6455, 4.1): a GET without a body."""
    values = dict(headers)
    asked = values.get(b"upgrade", b"").lower() == b"websocket"
    return asked and method == "GET" and not FRAMING & values.keys()


def body_parser(protocol: Any, headers: Headers) -> HttpRequestParser:
    """A parser of the body alone, which has read a head of the same framing.

    It reports no headers, so trailers are lost; a request without a body ends here.
    """
    framing = [name + b": " + value for name, value in headers if name in FRAMING]
    events = SimpleNamespace(**{name: getattr(protocol, name) for name in BODY_EVENTS})
    parser = protocol.parser = HttpRequestParser(events)
    parser.feed_data(b"\r\n".join((b"POST / HTTP/1.1", *framing, b"", b"")))
    return parser
