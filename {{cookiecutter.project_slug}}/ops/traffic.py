"""Does anybody notice? A steady stream of requests, and what became of them.

Reads and writes, each over kept and over new connections. The writes go to one real path: change
WRITE with the feature.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from ops import smoke

WRITE, SCOPE = ("/items", {"name": "rehearsal", "price": 1}), "items:write"
RATE = 12  # requests per second of each of the four kinds
ANSWER_SECONDS = 20
KINDS = [(method, kept) for method in ("GET", "POST") for kept in (True, False)]


class Seen(NamedTuple):
    requests: int
    failures: Counter[str]


class Traffic:
    """Requests to `url` until the `with` block ends."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._address = urlsplit(url).netloc
        self._headers = headers
        self._end = threading.Event()
        self._requests = 0
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=kind) for kind in KINDS]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def seen(self) -> Seen:
        """What became of the requests so far, by the kind of failure."""
        with self._lock:
            return Seen(self._requests, self._failures.copy())

    def wait_for(self, requests: int, within_seconds: float = 60) -> None:
        """Wait until so many requests were answered, or failed."""
        deadline = time.monotonic() + within_seconds
        while self.seen().requests < requests and time.monotonic() < deadline:
            time.sleep(0.05)

    def _ask(self, method: str, kept: bool) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=ANSWER_SECONDS)
        due = time.monotonic()
        while not self._end.wait(max(0, due - time.monotonic())):
            due += 1 / RATE
            failure = self._one(connection, method)
            if failure or not kept:
                connection.close()  # the next request opens a new one
            with self._lock:
                self._requests += 1
                self._failures.update([f"{method}: {failure}"] if failure else [])
        connection.close()

    def _one(self, connection: http.client.HTTPConnection, method: str) -> str:
        """Send one request; say how it failed, or nothing."""
        path, body = (WRITE[0], json.dumps(WRITE[1])) if method == "POST" else (smoke.REAL, None)
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        return "" if answer.status < 300 else str(answer.status)
