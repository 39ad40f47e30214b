"""How large may a request's body be?

Innermost of the layers, so that its refusal has the one shape of all errors and passes the others.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.errors import Problem

CLOSE = {"Connection": "close"}  # what is still to come is not read


class BodyLimit:
    """Answers 413 to a body above `max_bytes`, declared or not, without keeping any of it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._refusal = f"the body is too large; expected at most {max_bytes} bytes"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"content-length" and int(value) > self._max_bytes:
                    problem = Problem(413, self._refusal, headers=CLOSE)
                    await errors.answer(scope, problem)(scope, receive, send)
                    return
                if name == b"transfer-encoding":
                    receive = self._counting(receive)
        await self._app(scope, receive, send)

    def _counting(self, receive: Receive) -> Receive:
        received = 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413, self._refusal, CLOSE)  # any other is hidden by a 400
            return message

        return counting_receive
