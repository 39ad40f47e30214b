"""Limits of a request: its host, its query, and its body by content type (RFC 9110, 8.3).

A body that is too large is thrown away before it is refused, up to a bound: a proxy or client that
sends all before it reads would lose the answer.
JSON is UTF-8 (RFC 8259, 8.1) and not compressed; anything else that calls itself JSON is refused.
"""

import asyncio
import re
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.problems import Problem
from vitals.security.hosts import MAX_LENGTH, OTHER, Judge, use_host_of

MAX_DISCARDED = 33_554_432  # bytes that are thrown away so that a client gets its answer
DISCARD_SECONDS = 0.5  # without any of them: then the client waits for its answer
MAX_QUERY_FIELDS = 200
MAX_RANGES = 1_000  # bytes of the header
CLOSE = {"Connection": "close"}  # what is still to come is not read
READ = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-range", b"range"))
JSON = re.compile(rb"application/([^;\s]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)
OTHER_CHARSET = re.compile(rb";\s*charset\s*=(?!\s*\"?utf-8\"?\s*(;|$))", re.IGNORECASE)
QUERY = Problem(400, "too many query fields", expected="at most 200", headers=CLOSE)
TRANSFER_CODING = Problem(400, "unknown transfer coding", expected="chunked", headers=CLOSE)
TWICE = Problem(400, "Content-Type or -Encoding twice", expected="one of each", headers=CLOSE)
PARTIAL = Problem(400, "PUT of a part", expected="no Content-Range", headers=CLOSE)
CHARSET = Problem(415, "JSON in another character set", expected="UTF-8", headers=CLOSE)
CONTENT_CODING = Problem(415, "compressed JSON", expected="no Content-Encoding", headers=CLOSE)


class BodyLimit:
    """Answers 413 to a body that is too large, declared or not, without keeping any of it.

    In the same pass over the headers: 400 to a host that is refused, and to too long a query.
    Bytes: `max_bytes` for JSON and undeclared bodies, `max_upload_bytes` for other types.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        max_upload_bytes: int,
        judge: Judge,
        probes: frozenset[str],
    ) -> None:
        self.app = app
        self._judge_host, self._probes = judge, probes
        self._max_bytes = max_bytes
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if "target" in scope.get("state", ()):
                use_host_of(scope["state"]["target"], scope)
            host: bytes | None = None
            problem = QUERY if scope["query_string"].count(b"&") >= MAX_QUERY_FIELDS else None
            came = receive
            for name, value in scope["headers"]:
                if name not in READ:
                    continue
                if name == b"host":
                    host = value[: MAX_LENGTH + 1] if host is None else b""  # a second is invalid
                elif name == b"range":
                    _ignore_invalid_range(scope, value)
                elif problem is None:
                    limit, is_json, problem = self._judge(scope, name, value)
                    if is_json or name == b"transfer-encoding":
                        receive = _checking(scope, came, limit, is_json=is_json)
            refused = self._judge_host(host or b"")
            if refused is not None:
                by_address = refused is OTHER or (host is None and scope["http_version"] == "1.0")
                if not (by_address and scope["path"] in self._probes):
                    problem = refused
            if problem is not None:
                if problem.status == 413 and all(n != b"expect" for n, _ in scope["headers"]):
                    await _discard(came)
                await problems.answer(scope, problem)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _judge(self, scope: Scope, name: bytes, value: bytes) -> tuple[int, bool, Problem | None]:
        """The limit of a body that a header declares, whether it is JSON, why to refuse it."""
        names, headers = [each[0] for each in scope["headers"]], dict(scope["headers"])
        media_type, problem = headers.get(b"content-type", b""), None
        is_json = JSON.fullmatch(media_type) is not None
        limit = self._max_bytes if is_json or not media_type else self._max_upload_bytes
        if is_json and OTHER_CHARSET.search(media_type):
            problem = CHARSET
        elif is_json and headers.get(b"content-encoding", b"identity") != b"identity":
            problem = CONTENT_CODING
        if names.count(b"content-type") > 1 or names.count(b"content-encoding") > 1:
            problem = TWICE  # two readers could each read another one
        if name == b"content-range" and scope["method"] == "PUT":
            problem = PARTIAL  # RFC 9110, 14.5: it would replace the whole
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            problem = TRANSFER_CODING  # two readers could see two ends of the body
        if name == b"content-length" and content_length(value) > limit:
            problem = Problem(413, _too_large(limit), headers=CLOSE)
        return limit, is_json, problem


def _checking(scope: Scope, receive: Receive, limit: int, *, is_json: bool) -> Receive:
    """Count what comes, and see by its first four bytes whether JSON is UTF-8 (RFC 8259, 8.1)."""
    received, first = 0, b""

    async def checking_receive() -> Message:
        nonlocal received, first
        message = await receive()
        body = message.get("body", b"")
        received += len(body)
        if received > limit:
            await _discard(receive, message)
            if "started" in scope["state"]:
                return {"type": "http.disconnect"}  # too late for an error
            raise HTTPException(413, _too_large(limit), CLOSE)  # any other is hidden by a 400
        if is_json and len(first) < 4:
            first += body[:4]
            if b"\0" in first[:4]:  # UTF-16 or UTF-32
                raise HTTPException(415, CHARSET.detail, CLOSE)
        return message

    return checking_receive


async def _discard(receive: Receive, message: Message | None = None) -> None:
    """Throw the rest of a body away, as long as it comes at once and is not huge."""
    discarded = 0
    with suppress(TimeoutError):
        while message is None or (message.get("more_body") and discarded < MAX_DISCARDED):
            async with asyncio.timeout(DISCARD_SECONDS):
                message = await receive()
            discarded += len(message.get("body", b""))


def _ignore_invalid_range(scope: Scope, value: bytes) -> None:
    """Ignore what is no range of bytes (RFC 9110, 14.2), which the framework answers 400."""
    unit, _, ranges = value[:MAX_RANGES].partition(b"=")
    for each in ranges.split(b","):
        first, _, last = each.strip().partition(b"-")
        is_valid = unit.lower() == b"bytes" and b"-" in each and (first + last).isdigit()
        if not is_valid or (first and last and int(first) > int(last)):
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"range"]


def content_length(value: bytes) -> int:
    """The length that a header declares, however many digits it has."""
    return int(value.lstrip(b"0")[:19] or b"0")


def _too_large(limit: int) -> str:
    return f"the body is too large; expected at most {limit} bytes"
