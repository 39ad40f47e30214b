"""Limits of connections: how many, and how long each may stay in its state.

docs/decisions/connection-states.md of the template has the states, their deadlines, and the way
from one to the next.
"""

import logging
from itertools import islice
from typing import Any

from vitals.settings import Settings

MAX_PER_SWEEP = 100  # so that ending many connections does not delay other requests
CANCEL_SECONDS = 2.0  # for a handler that was asked to end
Connection = Any  # of vitals.server.connections, which imports this module

log = logging.getLogger(__name__)


class State:
    """What a connection waits for."""

    HEAD = "the head of a request"
    BODY = "its body"
    HANDLING = "its answer"
    DISCARD = "the end of what nobody reads"
    IDLE = "the next request"
    WEBSOCKET = "the end of a websocket"


class ConnectionLimiter:
    """The limits that all connections share.

    `max_active` connections may have a request at once, above that only probes are answered. For
    a body wait at most half of them; the longest wait ends for a new one. With `max_idle` more
    open, the one that is idle for longest is closed for a new one.
    """

    def __init__(self, max_active: int, settings: Settings) -> None:
        self.max_active, self.max_idle, self.settings = max_active, max_active // 2, settings
        self.open: set[Connection] = set()
        self.idle: dict[Connection, None] = {}  # without a request; the longest idle first
        self.awaiting_body: dict[Connection, None] = {}  # the longest wait first

    def register(self, connection: Connection) -> None:
        """Add a connection, in the place of an idle one if need be; without room, abort it."""
        if len(self.open) >= self.max_active + self.max_idle:
            done = (c for c in self.idle if not c.transport.get_write_buffer_size())
            self.abort(next(done, connection))
        if not connection.transport.is_closing():
            self.open.add(connection)
            self.idle[connection] = None

    def full(self) -> bool:
        """Whether more connections have a request than are served at once."""
        return len(self.open) - len(self.idle) > self.max_active

    def await_body(self, connection: Connection) -> None:
        self.awaiting_body[connection] = None
        if len(self.awaiting_body) > self.max_active // 2:
            next(iter(self.awaiting_body)).expire()

    def unregister(self, connection: Connection) -> None:
        self.open.discard(connection)
        self.idle.pop(connection, None)
        self.awaiting_body.pop(connection, None)

    def abort(self, connection: Connection) -> None:
        """Close a connection now, whatever is still to be sent."""
        self.unregister(connection)
        connection.transport.abort()

    def sweep(self, now: float) -> None:
        """End what takes too long: to send a request, to read an answer, to stay idle."""
        seconds = self.settings.request_seconds
        stalled = [c for c in self.open if c.transport.stalls(now, seconds) or c.floods()]
        for connection in stalled:
            log.warning(
                "a client was cut: it read less than 1 KiB/s of an answer for APP_REQUEST_SECONDS, "
                "or flooded a websocket: %s",
                connection.client,
            )
            self.abort(connection)
        late = (c for c in self.open if c.deadline < now)
        for connection in list(islice(late, MAX_PER_SWEEP)):
            connection.expire()
