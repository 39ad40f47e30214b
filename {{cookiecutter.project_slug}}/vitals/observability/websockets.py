"""Websockets: a line at the end of each, its handshake counted as a request, a gauge."""

import logging
from asyncio import CancelledError, sleep
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from vitals.observability.observed_request import GONE, Answers, new_id
from vitals.observability.route_label import route_label
from vitals.request_stats import RequestStats, WriteUnit, current

ABNORMAL = 1006  # no closing frame came (RFC 6455, 7.1.5)
REFUSED, VIOLATION, DEFECT, RESTART = 403, 1008, 1011, 1012
OPEN = "http_server_open_websockets"
MESSAGES = 16  # sent in one turn: a write that a socket takes at once gives no other its turn
log = logging.getLogger("vitals.requests")


class ObservedWebsocket(RequestStats):
    """The stats of a websocket, filled from its ASGI messages."""

    __slots__ = (
        *("_access_log", "_answers", "_open_route", "_receive", "_send"),
        *("_sent", "close_code", "scope", "started", "status"),
    )

    def __init__(self, answers: Answers, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(new_id(scope["headers"]))
        self._answers, self._access_log = answers, answers.access_log
        self.scope, self._receive, self._send = scope, receive, send
        self.started, self.status, self.close_code = perf_counter(), 0, 0
        self._open_route: str | None = None
        self._sent = 0

    def unit_writer(self) -> WriteUnit:
        return self._access_log.write_unit

    def route(self) -> str:
        return route_label(self.scope)

    async def on_receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and not self.close_code:
            lost = message["code"] in (1005, ABNORMAL) and "reason" not in message
            self.close_code = ABNORMAL if lost else message["code"]
        return message

    async def on_send(self, message: Message) -> None:
        """Send on. An error answer after the handshake becomes a close code (RFC 6455, 7.4)."""
        kind = message["type"]
        if kind == "websocket.send":
            text = message.get("text")
            data = text.encode() if text is not None else message.get("bytes") or b""
            self.bytes_out += len(data)
            self._sent += 1
            if self._sent % MESSAGES == 0:
                await sleep(0)
        elif kind == "websocket.accept":
            self._answer(101)
            if self._open_route is None:
                self._open_route = self.route()
                self._access_log.metrics.add_open(OPEN, self._open_route)
            message["headers"] = [*message.get("headers", ()), self._own_header()]
        elif self.status == 101 and kind.startswith("websocket.http"):
            if kind == "websocket.http.response.body":
                return
            code = DEFECT if message["status"] >= 500 else VIOLATION
            message = {"type": "websocket.close", "code": code}
        elif kind == "websocket.http.response.start":
            self._answer(message["status"])
            given = message.get("headers", ())
            message["headers"] = [*given, self._own_header(), *self._answers.fixed(given)]
        elif kind == "websocket.close" and not self.status:
            self._answer(REFUSED)
        if message["type"] == "websocket.close":
            self.close_code = message.get("code", 1000)
        await self._send(message)

    def _own_header(self) -> tuple[bytes, bytes]:
        return b"x-request-id", self.request_id.encode()

    def _answer(self, status: int) -> None:
        self.status = status
        self._access_log.count_handshake(self.route(), status, perf_counter() - self.started)

    async def fail(self, error: Exception) -> None:
        """Log an unhandled error, once, and close with it if nothing else did."""
        self.error = type(error).__qualname__
        log.error("unhandled error", exc_info=error)
        if not self.close_code and self.status in (0, 101):
            await self.on_send({"type": "websocket.close", "code": DEFECT})

    def finish(self) -> None:
        """Write the line."""
        self.closed = True
        if not self.status:  # nothing was accepted, and nothing refused
            self._answer(GONE if self.close_code == ABNORMAL else 500)
        if self._open_route is not None:
            self._access_log.metrics.add_open(OPEN, self._open_route, -1)
        outcome = "client_left" if self.close_code == ABNORMAL else "completed"
        client = (self.scope.get("client") or ("",))[0]
        fields = {"method": "GET", "route": self.route(), "status": self.status}
        fields |= {"close_code": self.close_code, "client": client}
        seconds = perf_counter() - self.started
        ended = "error" if self.error else outcome
        self._access_log.write_unit("websocket", self, seconds, ended, fields)


async def observe(
    app: ASGIApp, answers: Answers, scope: Scope, receive: Receive, send: Send, *, reraise: bool
) -> None:
    """Run an application for a websocket, and observe it."""
    websocket = ObservedWebsocket(answers, scope, receive, send)
    token = current.set(websocket)
    try:
        await app(scope, websocket.on_receive, websocket.on_send)
    except WebSocketDisconnect as left:  # the client did, as the tutorial's examples let it
        websocket.close_code = websocket.close_code or left.code
    except CancelledError:  # at the stop
        websocket.close_code = websocket.close_code or RESTART
        raise
    except Exception as error:
        await websocket.fail(error)
        if reraise:
            raise
    finally:
        websocket.finish()
        current.reset(token)
