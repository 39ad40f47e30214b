"""The server: uvicorn with connection limits, a drain, and a bounded shutdown.

SIGTERM: report not ready and keep serving for the time of the drain; then accept no connections
and let running requests finish. SIGINT skips the drain. A second signal ends both at once. If
something still hangs then, in a thread or in the event loop itself, the process is ended.
"""

import asyncio
import logging
import os
import resource
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from vitals.observability import logs, stacks
from vitals.security import guard
from vitals.server.connections import Connection
from vitals.server.limits import ConnectionLimiter
from vitals.settings import Settings

BACKLOG = 2048
CANCEL_GRACE_SECONDS = 0.6  # for requests that were cancelled
LIFESPAN_SECONDS = 1.5  # for everything to be closed
STOP_SECONDS = 2.8  # for all that comes after the time for running requests
HURRY_SECONDS = 0.9  # for everything, after a second signal
REPEATED = (
    *("ASGI callable returned without completing", "Invalid UTF-8 sequence"),
    *('%s - "WebSocket %s"', "connection open", "connection closed"),  # with the query
)

log = logging.getLogger(__name__)


def connections(wanted: int) -> tuple[int, int]:
    """The number of connections that the file descriptors allow, and of those in the queue.

    Half of the descriptors serve; of the rest some are for probes, and some for all else: one
    round of accepts opens the whole queue. Raises the process's own limit as far as it may.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed, unlimited = 4 * wanted, resource.RLIM_INFINITY
    if soft == unlimited:
        return wanted, BACKLOG
    if soft < needed:
        soft = needed if hard == unlimited else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = min(wanted, soft // 2)
    if allowed < wanted:
        log.warning(
            "APP_MAX_CONNECTIONS: found %d with %d file descriptors; serves %d; raise it with "
            "ulimit -n or LimitNOFILE",
            wanted,
            soft,
            allowed,
        )
    return allowed, min(BACKLOG, soft // 8)


def _says_more(record: logging.LogRecord) -> bool:
    """False for lines of uvicorn that repeat ours, and for those that any client can cause."""
    cancelled = record.exc_info and record.exc_info[0] is asyncio.CancelledError
    return not cancelled and not str(record.msg).startswith(REPEATED)


class Server(uvicorn.Server):
    drains = True  # by itself

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        max_active, queue = connections(settings.max_connections)
        self._limiter = ConnectionLimiter(max_active, settings)
        limits = {"limiter": self._limiter, "probes": app.state.vitals.probes}
        super().__init__(
            uvicorn.Config(
                app,
                http=type("LimitedConnection", (Connection,), limits),
                ws="websockets-sansio" if guard.websockets(app) else "none",
                ws_max_size=settings.max_body_bytes,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=queue,
            )
        )
        logging.getLogger("uvicorn.error").addFilter(_says_more)
        self._drain_seconds = settings.drain_seconds
        self._shutdown_seconds = settings.shutdown_seconds
        self._begin_drain = app.state.vitals.begin_drain
        self._signalled = False
        self._owns_process = False

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal, and then end the process if it does not end by itself."""
        self._owns_process = True
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)

    async def on_tick(self, counter: int) -> bool:
        self._limiter.sweep(self._loop.time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Drain at the first SIGTERM; end at once at a second signal. Not raised again: exit 0."""
        first, self._signalled = not self._signalled, True
        drains = first and sig == signal.SIGTERM and self.started
        if drains:
            self._loop.call_soon_threadsafe(self._drain)
        else:
            self.should_exit = True
            self.force_exit = not first
        if self._owns_process:
            drain = self._drain_seconds if drains else 0
            within = drain + self._shutdown_seconds + STOP_SECONDS if first else HURRY_SECONDS
            timer = threading.Timer(within, self._end_process)
            timer.daemon = True
            timer.start()

    def _drain(self) -> None:
        self._begin_drain()
        log.info("draining for %g s, then stopping", self._drain_seconds)
        self._loop.call_later(self._drain_seconds, setattr, self, "should_exit", True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener, let running requests finish, then close the resources."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._finished(self._shutdown_seconds):
            log.warning("%d requests did not finish in time", len(self.server_state.tasks))
        for connection in self._limiter.open:
            connection.end("stopping")
        self.force_exit = False
        await self._finished(CANCEL_GRACE_SECONDS)
        for task in self.server_state.tasks:  # what runs after its answer, and websockets
            task.cancel()
        await self._finished(CANCEL_GRACE_SECONDS)
        for connection in list(self._limiter.open):
            self._limiter.abort(connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(LIFESPAN_SECONDS):
                await self.lifespan.shutdown()
                return
        log.warning("the application was not closed within %g s; left as it is", LIFESPAN_SECONDS)

    async def _finished(self, within_seconds: float) -> bool:
        """Wait for the running requests and their connections; a second signal ends the wait."""
        until = self._loop.time() + within_seconds
        while self.server_state.tasks or self._limiter.open:
            if self.force_exit or self._loop.time() > until:
                return False
            self._limiter.sweep(self._loop.time())
            await asyncio.sleep(0.02)
        return True

    def _end_process(self) -> None:
        """End what hangs, such as a thread; it failed only if a request is without its answer."""
        try:
            found = "".join(stacks.current(self._loop))
            log.error("the stop hung, so the process is ended. Fix what waits here:\n%s", found)
        finally:
            logs.stdout.close(0.1)
            os._exit(1 if self.server_state.tasks else 0)
