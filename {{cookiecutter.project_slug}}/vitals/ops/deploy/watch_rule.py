"""Rule of the watched switch: when a route of the new version is worse than before it.

Plain counts in, a sentence out; `vitals.ops.deploy.watch_looks` collects the counts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import exp, inf, lgamma, log, log1p
from typing import Any, NamedTuple

from vitals.ops.deploy.samples import Routes, bounds, within

# fmt: off
LOOK_SECONDS = 5         # between looks: they cost 20 ms, and a crash shall not go unseen for long
WINDOW_SECONDS = 60      # judged by what is new: ten good minutes before must not hide a fault
MIN_REQUESTS = 20        # of a window; it reaches further back for them, or quiet routes go unseen
MIN_FAILED = 5           # one client that repeats a request which fails is no trend
FACTOR = 2               # times the allowed share: a worse version, not an unlucky minute
CHANCE = 1e-6            # there are 120 looks at 20 routes; 5 of 2,000 good versions may go back
OLD_REQUESTS = 200       # of fewer, the old share of something rare is no estimate
LUCK = 1e-3              # then the old side's failures must be unlikely few beside the new one's
ERRORS_ALLOWED = 0.001   # without a row in slo.toml: 99.9 %, as in its example
SLOW_ALLOWED = 0.05      # the meaning of p95
COLD_SECONDS = 15        # slow answers that fill pools and caches are no fault
RARE_CALLS = 0.001       # a path that fewer of the old requests took sets no limit
CALLS_REQUESTS = 50      # of fewer, half moves with the mix of requests
UNREADY_SECONDS = 15     # three looks: a check that fails for a moment is no fault
MEMORY_FACTOR = 2        # a version may need more, but not twice as much
MEMORY_BYTES = 64 << 20  # on top: one more import doubles a small service
MEMORY_SHARE = 0.85      # of the limit, where the kernel ends it
# fmt: on
NOTHING = Counter[str]()
Row = Mapping[str, Any]  # of slo.toml
Points = Sequence[tuple[float, Routes]]  # the seconds since the switch, and the counts so far


class Window(NamedTuple):
    """The counts of a route between two looks."""

    first: Counter[str]
    last: Counter[str]

    def of(self, key: str) -> int:
        return self.last[key] - self.first[key]

    def above(self, kind: str, bound: float) -> int:
        return self.of(f"{kind} inf") - self.of(f"{kind} {bound:g}")


def worse(points: Points, old: Routes, rows: Mapping[str, Row]) -> Iterator[str]:
    """Return what is worse now, at the last of the points, by route."""
    for route in points[-1][1] if points else ():
        for rule, need, since in RULES:
            if window := _window(points, route, need, since):
                found = rule(window, old.get(route, NOTHING), rows.get(route, {}))
                yield from [f"{route}: {found}"] if found else []


def _window(points: Points, route: str, need: int, since: float) -> Window | None:
    """Return the last 60 s, or more until they hold the needed requests, if there are so many."""
    (now, routes), first = points[-1], None
    last = routes[route]
    for then, routes in islice(reversed(points), 1, None):
        enough = first is not None and last["requests"] - first["requests"] >= need
        if then < since or (enough and now - then > WINDOW_SECONDS):
            break
        first = routes.get(route, NOTHING)
    if first is None or last["requests"] - first["requests"] < need:
        return None
    return Window(first, last)


def _errors(new: Window, old: Counter[str], row: Row) -> str:
    """(a) More answers of 500 and above than the objective and the old side allow."""
    count, failed = new.of("requests"), new.of("errors")
    before, errors = old["requests"], old["errors"]
    allowed = 1 - row["availability"] / 100 if row else ERRORS_ALLOWED
    if before >= OLD_REQUESTS:
        allowed = max(allowed, (errors + 2) / (before + 4))
    if not _is_worse(failed, count, allowed):
        return ""
    few = 0 < before < OLD_REQUESTS and failed < count / 2  # more is no version that is as before
    if few and luck(failed, count, errors, before) > LUCK:
        return ""
    return f"{_of(failed, count)} failed; before, {_of(errors, before)}"


def _slow(new: Window, old: Counter[str], row: Row) -> str:
    """(b) More answers above the objective's bound than p95 and the old side allow."""
    before = old["seconds inf"]
    if row:
        known = bounds(new.last, "seconds")
        bound = next(b for b in known if b * 1000 >= row["p95_ms"])
    else:
        bound = within(old, "seconds", SLOW_ALLOWED) if before >= OLD_REQUESTS else inf
    slow = before - old[f"seconds {bound:g}"] if before else 0
    allowed = max(SLOW_ALLOWED, (slow + 2) / (before + 4) if before >= MIN_REQUESTS else 0)
    if _is_worse(above := new.above("seconds", bound), new.of("seconds inf"), allowed):
        long = f"took more than {bound * 1000:g} ms"
        return f"{_of(above, new.of('seconds inf'))} {long}; before, {_of(slow, before)}"
    return ""


def _calls(new: Window, old: Counter[str], _: Row) -> str:
    """(c) More than half of the requests make more database calls than the old ones ever did."""
    before, count = old["calls inf"], new.of("calls inf")
    bound = within(old, "calls", RARE_CALLS)
    if before < OLD_REQUESTS or count < CALLS_REQUESTS or bound == inf:
        return ""
    if (above := new.above("calls", bound)) > count / 2:
        many, rare = f"made more than {bound:g} database calls", before - old[f"calls {bound:g}"]
        return f"{_of(above, count)} {many}; before, {_of(rare, before)}"
    return ""


RULES = (
    (_errors, MIN_REQUESTS, 0),
    (_slow, MIN_REQUESTS, COLD_SECONDS),
    (_calls, CALLS_REQUESTS, 0),
)


def _is_worse(failed: int, requests: int, allowed: float) -> bool:
    if failed < MIN_FAILED or failed <= FACTOR * allowed * requests:
        return False
    return tail(failed, requests, allowed) < CHANCE


def tail(failed: int, requests: int, share: float) -> float:
    """Return the exact chance that so many of the requests fail, or more (binomial)."""
    return sum(
        exp(_log_choose(requests, k) + k * log(share) + (requests - k) * log1p(-share))
        for k in range(failed, requests + 1)
    )


def luck(failed: int, requests: int, errors: int, before: int) -> float:
    """Return the chance that so many of both sides' failures fall to the new one (hypergeometric).

    It is Fisher's exact test: the old side had `errors` of `before` requests.
    """
    both = failed + errors
    ways = _log_choose(requests + before, both)
    return sum(
        exp(_log_choose(requests, k) + _log_choose(before, both - k) - ways)
        for k in range(failed, min(requests, both) + 1)
    )


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} requests ({part / max(1, whole):.2%})"
