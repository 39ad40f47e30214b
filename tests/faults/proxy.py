"""A network between the service and a server that is slow or sends garbage."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep


class Proxy:
    """Passes bytes on between its port and another one of 127.0.0.1, as its attributes say."""

    def __init__(self, target: int) -> None:
        self.delay_seconds = 0.0  # for each piece that the server says
        self.garbage = b""  # said in the place of it
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads = [_started(self._accept)]

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._threads.append(_started(self._serve, client))

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket() as server:
            self._ends += [client, server]
            if server.connect_ex(("127.0.0.1", self._target)):
                return  # it is down, and so is this way to it
            there = _started(self._pump, client, server, False)
            self._pump(server, client, True)
            there.join()

    def _pump(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        with suppress(OSError):  # one side is gone, so the other goes
            while data := source.recv(65_536):
                if from_server:
                    sleep(self.delay_seconds)
                    data = self.garbage or data
                sink.sendall(data)
        _hang_up(source, sink)

    def close(self) -> None:
        _hang_up(self._listener, *self._ends)
        for thread in self._threads:
            thread.join()
        self._listener.close()


def _started(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args)
    thread.start()
    return thread


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):  # it is closed already
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def between(target: int) -> Iterator[Proxy]:
    """A proxy to a port during the block."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
