"""Steady traffic during a rehearsal, and how many of its requests failed.

Each request is sent over a kept connection and over new ones.
"""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

import httpx

from vitals.ops.measure.load import Request
from vitals.ops.measure.session import Session
from vitals.ops.run.steps import Refused

PLANTED_STATUS = 599  # of the builds that a rehearsal breaks: no failure of the deployment
RATE = 12  # requests per second of each kind
MOST_NAMED = 10  # of the requests that failed


class Traffic:
    """Requests through clients that `connect` opens, until the `with` block ends."""

    def __init__(
        self, connect: Callable[[], httpx.Client], requests: Sequence[Request], session: Session
    ) -> None:
        self.outcomes: list[str] = []  # of each request: what failed, or nothing
        self.planted = 0  # answers of a build that a rehearsal broke
        self.failed: dict[str, str] = {}  # the first requests that failed, by their IDs
        self._session, self._end = session, threading.Event()
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
        """Wait until that many were answered or failed, not by a fault that was planted."""
        deadline = time.monotonic() + within_seconds
        while len(self.outcomes) - self.planted < requests and time.monotonic() < deadline:
            time.sleep(0.05)

    def _send(self, client: httpx.Client, request: Request, headers: dict[str, str]) -> None:
        due = time.monotonic()
        with client:
            while not self._end.wait(max(0, due - time.monotonic())):
                due += 1 / RATE
                request_id = f"rehearsal-{secrets.token_hex(8)}"
                try:
                    sent = {**headers, "X-Request-ID": request_id}
                    status = self._session.send(client, request, sent).status_code
                    self.planted += status == PLANTED_STATUS
                    failure = "" if status < 300 or status == PLANTED_STATUS else str(status)
                except (httpx.TransportError, Refused) as error:
                    failure = type(error).__name__
                self.outcomes.append(failure and f"{request.method}: {failure}")
                if failure and len(self.failed) < MOST_NAMED:
                    self.failed[request_id] = f"{request.method} {request.path}: {failure}"
