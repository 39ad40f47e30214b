"""How does this process start to serve, and how does it stop?

SIGTERM: not ready, but serving, for the time of the drain; then no new connections, and what is
running may finish. SIGINT leaves the drain out. A second signal ends both at once.
"""

import asyncio
import logging
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from vitals.server.connections import Connection, Gate
from vitals.settings import Settings

BACKLOG = 2048
CUT_SECONDS = 2.0  # for requests that were told to end
CLOSE = (b"connection", b"close")

log = logging.getLogger(__name__)


def serve(service: FastAPI, settings: Settings) -> int:
    """Serve until a signal tells to stop; returns the exit status, 1 if the port can't be had."""
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        sys.stderr.write(
            f"APP_PORT: {settings.host}:{settings.port}: {error.strerror}; expected an address of "
            "this machine and a free port; stop what listens there or choose another port\n"
        )
        return 1
    Server(service, settings).run([listener])
    return 0


def bind(host: str, port: int) -> socket.socket:
    """Take the address, without listening yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def connections(wanted: int) -> tuple[int, int]:
    """How many connections the file descriptors allow, and how many may queue to be accepted.

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


class Server(uvicorn.Server):
    """uvicorn's server with limits, a drain, and an end that is bounded."""

    def __init__(self, service: FastAPI, settings: Settings) -> None:
        most, queue = connections(settings.max_connections)
        self._gate = Gate(most, most // 2, settings.max_header_bytes, settings.request_read_seconds)
        super().__init__(
            uvicorn.Config(
                service,
                http=type("GatedConnection", (Connection,), {"gate": self._gate}),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=queue,
                timeout_keep_alive=settings.keep_alive_seconds,
            )
        )
        self._drain_seconds = settings.drain_seconds
        self._shutdown_seconds = settings.shutdown_seconds
        self._be_not_ready = service.state.drain
        self._told = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        signal.signal(signal.SIGUSR1, self._show_stacks)
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)

    async def on_tick(self, counter: int) -> bool:
        self._gate.sweep(self._loop.time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Drain at the first SIGTERM; end at once at a second signal. Not raised again: exit 0."""
        first, self._told = not self._told, True
        if first and sig == signal.SIGTERM and self.started:
            self._loop.call_soon_threadsafe(self._drain)
        else:
            self.should_exit = True
            self.force_exit = not first

    def _drain(self) -> None:
        self._be_not_ready()
        log.info("draining for %g s, then stopping", self._drain_seconds)
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers.append(CLOSE)
        for connection in self._gate.open:
            connection.close_after_answer()
        self._loop.call_later(self._drain_seconds, setattr, self, "should_exit", True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener, let what is running finish, then close the resources."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self._gate.open):
            connection.shutdown()
        if not await self._finished(self._shutdown_seconds):
            log.warning("%d requests did not finish in time", len(self.server_state.tasks))
        for connection in self._gate.open:
            connection.end("stopping")
        self.force_exit = False
        await self._finished(CUT_SECONDS)
        for connection in list(self._gate.open):
            self._gate.drop(connection)
        await self.lifespan.shutdown()

    async def _finished(self, within_seconds: float) -> bool:
        """Wait for the running requests and their connections; a second signal ends the wait."""
        until = self._loop.time() + within_seconds
        while self.server_state.tasks or self._gate.open:
            if self.force_exit or self._loop.time() > until:
                return False
            await asyncio.sleep(0.02)
        return True

    def _show_stacks(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Write to the log what each thread and task is doing: SIGUSR1 asks a stuck process."""
        stacks = []
        for ident, running in sys._current_frames().items():  # noqa: SLF001 - the documented way
            stacks.append(f"thread {ident}\n" + "".join(traceback.format_stack(running)))
        for task in asyncio.all_tasks(self._loop):
            frames = [(waiting, waiting.f_lineno) for waiting in _awaited(task.get_coro())]
            lines = traceback.StackSummary.extract(frames).format()
            stacks.append(f"task {task.get_name()}\n" + "".join(lines))
        log.warning("stacks of all threads and tasks:\n%s", "".join(stacks))


def _awaited(waits: object) -> Iterator[FrameType]:
    """The frames from a coroutine down to what it waits for; a task itself tells the first only."""
    while waits is not None:
        for kind, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            if (frame := getattr(waits, f"{kind}_frame", None)) is not None:
                yield frame
                waits = getattr(waits, inner)
                break
        else:
            return
