"""Which requests failed lately, and which ran one statement again and again?"""

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime

ERRORS_KEPT = 50
STATEMENTS_KEPT = 20
MAX_TEXT = 300
MAX_METHOD = 16
# Paths for those who watch the service; they are no part of what it does for others.
WATCHING = frozenset(("/livez", "/readyz", "/health", "/metrics", "/status", "/status.json"))


@dataclass(frozen=True)
class Failure:
    """A request that was answered with a server error."""

    at: datetime
    method: str
    route: str
    status: int
    error: str  # the exception's type; empty if the service refused in an orderly way
    request_id: str


@dataclass(frozen=True)
class Repeats:
    """A statement that one request of a route ran many times: `times` in the last such request."""

    route: str
    statement: str
    times: int
    since: datetime
    last: datetime
    request_id: str


class Notes:
    """The last of each; a request that is well costs nothing."""

    def __init__(self) -> None:
        self._failures: deque[Failure] = deque(maxlen=ERRORS_KEPT)
        self._repeats: dict[tuple[str, str], Repeats] = {}

    def failed(self, method: str, route: str, status: int, error: str, request_id: str) -> None:
        """Note a request that was answered with a server error."""
        if route not in WATCHING:
            failure = Failure(
                datetime.now(UTC), method[:MAX_METHOD], route, status, error, request_id
            )
            self._failures.append(failure)

    def repeated(self, route: str, statement: str, times: int, request_id: str) -> None:
        """Note a statement that ran many times in one request."""
        key, now = (route, statement[:MAX_TEXT]), datetime.now(UTC)
        new = Repeats(*key, times, since=now, last=now, request_id=request_id)
        before = self._repeats.pop(key, new)  # the latest stands last
        if len(self._repeats) >= STATEMENTS_KEPT:
            del self._repeats[next(iter(self._repeats))]
        self._repeats[key] = replace(new, since=before.since)

    def failures(self) -> list[Failure]:
        """The last failures, newest first."""
        return list(reversed(self._failures))

    def repeats(self) -> list[Repeats]:
        """What was repeated, the most frequent first."""
        return sorted(self._repeats.values(), key=lambda each: -each.times)
