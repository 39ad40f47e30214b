"""Limits of a request's body, by its content type (RFC 9110, 8.3).

A body that is too large is thrown away before it is refused, up to a bound: a proxy or client that
sends all before it reads would lose the answer.
JSON and undeclared bodies have one limit, forms, files and all other types a larger one. JSON
is UTF-8 (RFC 8259, 8.1) and not compressed; anything else that calls itself JSON is refused.
"""

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.problems import Problem

MAX_DISCARDED = 33_554_432  # bytes that are thrown away so that a client gets its answer
CLOSE = {"Connection": "close"}  # what is still to come is not read
FRAMING = frozenset((b"content-length", b"transfer-encoding"))
JSON = re.compile(rb"application/([^;\s]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)
OTHER_CHARSET = re.compile(rb";\s*charset\s*=(?!\s*\"?utf-8\"?\s*(;|$))", re.IGNORECASE)
TRANSFER_CODING = Problem(400, "unknown transfer coding", expected="chunked", headers=CLOSE)
CHARSET = Problem(415, "JSON in another character set", expected="UTF-8", headers=CLOSE)
CONTENT_CODING = Problem(415, "compressed JSON", expected="no Content-Encoding", headers=CLOSE)


class BodyLimit:
    """Answers 413 to a body that is too large, declared or not, without keeping any of it.

    Bytes: `max_bytes` for JSON and undeclared bodies, `max_upload_bytes` for other types.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_upload_bytes: int) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name not in FRAMING:
                    continue
                limit, problem = self._judge(dict(reversed(scope["headers"])), name, value)
                if problem is not None:
                    if problem.status == 413 and int(value) <= MAX_DISCARDED:
                        await _discard(scope, receive)
                    await problems.answer(scope, problem)(scope, receive, send)
                    return
                if name == b"transfer-encoding":
                    receive = _counting(receive, limit)
        await self.app(scope, receive, send)

    def _judge(
        self, headers: dict[bytes, bytes], name: bytes, value: bytes
    ) -> tuple[int, Problem | None]:
        """The limit of a body that a header declares, and the reason to refuse it unread.

        `headers` are the first of each name: those that the framework reads.
        """
        media_type, limit = headers.get(b"content-type", b""), self._max_bytes
        problem = None
        if not media_type:
            pass
        elif not JSON.fullmatch(media_type):
            limit = self._max_upload_bytes
        elif OTHER_CHARSET.search(media_type):
            problem = CHARSET
        elif headers.get(b"content-encoding", b"identity") != b"identity":
            problem = CONTENT_CODING
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            problem = TRANSFER_CODING  # two readers could see two ends of the body
        if name == b"content-length" and int(value) > limit:
            problem = Problem(413, _too_large(limit), headers=CLOSE)
        return limit, problem


def _counting(receive: Receive, limit: int) -> Receive:
    received = 0

    async def counting_receive() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            while message.get("more_body") and received <= MAX_DISCARDED:
                message = await receive()
                received += len(message.get("body", b""))
            raise HTTPException(413, _too_large(limit), CLOSE)  # any other is hidden by a 400
        return message

    return counting_receive


async def _discard(scope: Scope, receive: Receive) -> None:
    """Throw a body away, unless its client waits for leave to send it (RFC 9110, 10.1.1)."""
    if all(name != b"expect" for name, _ in scope["headers"]):
        while (await receive()).get("more_body"):
            pass


def _too_large(limit: int) -> str:
    return f"the body is too large; expected at most {limit} bytes"
