"""Websockets: a connection stays the transport's protocol, and passes on what comes."""

import math
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vitals.server.limits import ConnectionLimiter, State
from vitals.server.parts import FRAMING, Parts
from vitals.server.transport import Transport

SLICE = 4_096  # bytes for a websocket before others have their turn
MAX_WAITING = 1_048_576  # bytes for a client, beside its messages
MAX_FRAMES = 10_000  # of one message
HANDSHAKE_SECONDS = 0.05  # until the next look whether a websocket is open


class Upgradable(HttpToolsProtocol):
    """A connection that can become a websocket, which is the only upgrade (RFC 9110, 7.8)."""

    limiter: ConnectionLimiter
    transport: Transport  # type: ignore[assignment]
    parts: Parts
    state: str
    deadline: float
    parse: Any  # it and `refuse` are methods of a Connection
    refuse: Any
    websocket: Any = None

    def _should_upgrade(self) -> bool:
        """Whether it asks for a websocket (RFC 6455, 4.1) and the application has one."""
        headers, scope = dict(self.scope["headers"]), self.scope
        wanted = headers.get(b"upgrade", b"").lower() == b"websocket"
        is_get = (scope["method"], scope["http_version"]) == ("GET", "1.1")
        can = bool(self.ws_protocol_class) and not self.limiter.full()
        return wanted and is_get and can and not FRAMING & headers.keys()

    def hand_over(self, websocket: Any) -> None:
        """Be a websocket from now on."""
        self.state, self.deadline = State.WEBSOCKET, math.inf
        self.websocket = websocket
        if not websocket.handshake_initiated:  # larger than it takes: it would wait without end
            self.refuse(431)

    def floods(self) -> bool:
        """Whether it sends what nothing else bounds: pings, or parts of one message."""
        if self.websocket is None:
            return False
        most = MAX_WAITING + 2 * self.config.ws_max_size
        parts = len(getattr(self.websocket, "frames", ()))
        return parts > MAX_FRAMES or self.transport.get_write_buffer_size() > most

    def _pass_on(self) -> None:
        """Give the websocket what came, once it is open, and not too much at a time."""
        websocket, wait_seconds = self.websocket, 0.0
        if not websocket.handshake_complete:
            wait_seconds = HANDSHAKE_SECONDS
        elif not self.transport.paused:
            websocket.data_received(self.parts.take(SLICE))
        self.transport.hold(held=self.parts.waiting > 0)
        if self.parts.waiting and not self.transport.paused and not self.transport.is_closing():
            self.loop.call_later(wait_seconds, self.parse)

    def resumed(self) -> None:
        """Go on when the websocket reads again."""
        if self.websocket is not None:
            self.parse()

    def pause_writing(self) -> None:
        (self.websocket or self.flow).pause_writing()

    def resume_writing(self) -> None:
        (self.websocket or self.flow).resume_writing()
