"""How large may a request's body be? Larger where files are uploaded.

Innermost of the layers, so that its refusal has the one shape of all errors and passes the others.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.problems import Problem

CLOSE = {"Connection": "close"}  # what is still to come is not read
CODING = Problem(400, "another transfer coding", expected="chunked", headers=CLOSE)


class BodyLimit:
    """Answers 413 to a body that is too large, declared or not, without keeping any of it.

    Bytes: `max_bytes`, or `max_upload_bytes` in a PUT to a path that ends like one of `uploads`.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        *,
        max_upload_bytes: int = 0,
        uploads: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_upload_bytes = max_upload_bytes
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"content-length" and int(value) > (most := self._most(scope)):
                    problem = Problem(413, _refusal(most), headers=CLOSE)
                    await problems.answer(scope, problem)(scope, receive, send)
                    return
                if name == b"transfer-encoding":
                    if value.lower() != b"chunked":  # two readers could see two ends of the body
                        await problems.answer(scope, CODING)(scope, receive, send)
                        return
                    receive = _counting(receive, self._most(scope))
        await self._app(scope, receive, send)

    def _most(self, scope: Scope) -> int:
        is_upload = scope["method"] == "PUT" and scope["path"].endswith(self._uploads)
        return self._max_upload_bytes if is_upload else self._max_bytes


def _counting(receive: Receive, most: int) -> Receive:
    received = 0

    async def counting_receive() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, _refusal(most), CLOSE)  # any other is hidden by a 400
        return message

    return counting_receive


def _refusal(most: int) -> str:
    return f"the body is too large; expected at most {most} bytes"
