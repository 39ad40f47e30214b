"""Steady traffic during a rehearsal, and how many of its requests failed.

Each request is sent over a kept connection and over new ones.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

import httpx

from vitals.ops.measure.load import Request

RATE = 12  # requests per second of each kind


class Traffic:
    """Requests through clients that `connect` opens, until the `with` block ends."""

    def __init__(self, connect: Callable[[], httpx.Client], requests: Sequence[Request]) -> None:
        self.outcomes: list[str] = []  # of each request: what failed, or nothing
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(connect(), request, headers))
            for request in requests
            for headers in (dict[str, str](), {"Connection": "close"})
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def failures(self) -> Counter[str]:
        """Count the failures so far, by kind."""
        return Counter(filter(None, self.outcomes))

    def wait_for(self, requests: int, within_seconds: float = 60) -> None:
        """Wait until that many requests were answered or failed."""
        deadline = time.monotonic() + within_seconds
        while len(self.outcomes) < requests and time.monotonic() < deadline:
            time.sleep(0.05)

    def _send(self, client: httpx.Client, request: Request, headers: dict[str, str]) -> None:
        due = time.monotonic()
        with client:
            while not self._end.wait(max(0, due - time.monotonic())):
                due += 1 / RATE
                try:
                    method, path, body = request
                    status = client.request(method, path, json=body, headers=headers).status_code
                    failure = "" if status < 300 else str(status)
                except httpx.TransportError as error:
                    failure = type(error).__name__
                self.outcomes.append(failure and f"{request.method}: {failure}")
