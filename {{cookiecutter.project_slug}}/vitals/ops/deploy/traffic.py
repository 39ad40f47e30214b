"""Steady traffic during a rehearsal, and how many of its requests failed.

Each request is sent over a kept connection and over new ones.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from vitals.ops.measure.load import Connection, Request

RATE = 12  # requests per second of each kind


class Seen(NamedTuple):
    requests: int
    failures: Counter[str]


class Traffic:
    """Requests to `url` until the `with` block ends."""

    def __init__(self, url: str, headers: Mapping[str, str], requests: Sequence[Request]) -> None:
        self._end = threading.Event()
        self._requests = 0
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        kinds = [(request, kept) for request in requests for kept in (True, False)]
        self._threads = [
            threading.Thread(target=self._send, args=(Connection(url, headers), *kind))
            for kind in kinds
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def seen(self) -> Seen:
        """Return the requests so far, and the failures by kind."""
        with self._lock:
            return Seen(self._requests, self._failures.copy())

    def wait_for(self, requests: int, within_seconds: float = 60) -> None:
        """Wait until that many requests were answered or failed."""
        deadline = time.monotonic() + within_seconds
        while self.seen().requests < requests and time.monotonic() < deadline:
            time.sleep(0.05)

    def _send(self, connection: Connection, request: Request, kept: bool) -> None:
        due = time.monotonic()
        while not self._end.wait(max(0, due - time.monotonic())):
            due += 1 / RATE
            try:
                status = connection.send_once(request, {}).status
                failure = "" if status < 300 else str(status)
            except (OSError, http.client.HTTPException) as error:
                failure = type(error).__name__
            if failure or not kept:
                connection.close()  # the next request opens a new one
            with self._lock:
                self._requests += 1
                self._failures.update([f"{request.method}: {failure}"] if failure else [])
        connection.close()
