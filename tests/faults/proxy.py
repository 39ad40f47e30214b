"""A network between the service and a server that can be slow, silent, cut, or mad."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep


class Proxy:
    """Passes bytes on between clients and a port of 127.0.0.1, as its switches say."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay_seconds = 0.0  # for what the server says
        self.garbage = b""  # in the place of what the server says
        self.connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self.connections += [client, server]
                for source, sink in ((client, server), (server, client)):
                    pump = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
                    pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        from_server = source.getpeername()[1] == self.target
        with suppress(OSError):  # one side is gone: so will be the other
            while data := source.recv(65_536):
                if from_server:
                    sleep(self.delay_seconds)
                    data = self.garbage or data
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        for connection in self.connections:
            connection.close()


@contextmanager
def between(target: int) -> Iterator[Proxy]:
    """A proxy to a port, for the block."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
