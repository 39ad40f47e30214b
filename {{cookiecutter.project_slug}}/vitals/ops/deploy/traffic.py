"""Steady traffic during a rehearsal: reads and writes, and how many of them failed.

Each request is sent over a kept connection and over new ones.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from vitals.ops.measure.load import Request

RATE = 12  # requests per second of each kind
ANSWER_SECONDS = 20


class Seen(NamedTuple):
    requests: int
    failures: Counter[str]


class Traffic:
    """Requests to `url` until the `with` block ends."""

    def __init__(self, url: str, headers: Mapping[str, str], requests: Sequence[Request]) -> None:
        self._address = urlsplit(url).netloc
        self._headers = headers
        self._end = threading.Event()
        self._requests = 0
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        kinds = [(request, kept) for request in requests for kept in (True, False)]
        self._threads = [threading.Thread(target=self._send, args=kind) for kind in kinds]

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

    def _send(self, request: Request, kept: bool) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=ANSWER_SECONDS)
        due = time.monotonic()
        while not self._end.wait(max(0, due - time.monotonic())):
            due += 1 / RATE
            failure = self._one(connection, request)
            if failure or not kept:
                connection.close()  # the next request opens a new one
            with self._lock:
                self._requests += 1
                self._failures.update([f"{request.method}: {failure}"] if failure else [])
        connection.close()

    def _one(self, connection: http.client.HTTPConnection, request: Request) -> str:
        """Send one request; return how it failed, or nothing."""
        body = None if request.body is None else json.dumps(request.body)
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            connection.request(request.method, request.path, body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        return "" if answer.status < 300 else str(answer.status)
