"""Recent server errors, and statements that one request ran many times, in bounded memory."""

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from vitals.probes import POLLED, under

MAX_ERRORS = 50
MAX_STATEMENTS = 20
MAX_TEXT = 300
MAX_METHOD = 16


@dataclass(frozen=True)
class Failure:
    """A request that ended in a server error."""

    at: datetime
    method: str
    route: str
    status: int
    error: str  # the exception's type; empty for an intended answer, such as 503
    request_id: str


@dataclass(frozen=True)
class Repeats:
    """A statement that one request ran many times; `times` is from the last such request."""

    route: str
    statement: str
    times: int
    since: datetime
    last: datetime
    request_id: str


class RecentErrors:
    """The last of each. `prefix` is the path before the engine's own routes."""

    def __init__(self, prefix: str = "") -> None:
        self._ignored = under(prefix, POLLED)  # they are no traffic
        self._failures: deque[Failure] = deque(maxlen=MAX_ERRORS)
        self._repeats: dict[tuple[str, str], Repeats] = {}

    def failed(self, method: str, route: str, status: int, error: str, request_id: str) -> None:
        if route not in self._ignored:
            at, method = datetime.now(UTC), method[:MAX_METHOD]
            self._failures.append(Failure(at, method, route, status, error, request_id))

    def repeated(self, route: str, statement: str, times: int, request_id: str) -> None:
        key, now = (route, statement[:MAX_TEXT]), datetime.now(UTC)
        new = Repeats(*key, times, since=now, last=now, request_id=request_id)
        before = self._repeats.pop(key, new)  # the latest comes last
        if len(self._repeats) >= MAX_STATEMENTS:
            del self._repeats[next(iter(self._repeats))]
        self._repeats[key] = replace(new, since=before.since)

    def failures(self) -> list[Failure]:
        return list(reversed(self._failures))

    def repeats(self) -> list[Repeats]:
        """Return the repeated statements, the most frequent first."""
        return sorted(self._repeats.values(), key=lambda each: -each.times)
