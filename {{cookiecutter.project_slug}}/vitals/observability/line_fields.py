"""The fields of a request's line that depend on its caller, and those that only some have."""

import json
from functools import lru_cache
from math import isfinite

from vitals.request_stats import MAX_TEXT, RequestStats

NOTICED_MS = 1  # a shorter wait for a connection gets no field


@lru_cache(maxsize=1_024)
def who(client: str | None, subject: str) -> str:
    """The fields of the caller, cut: a proxy passes on what X-Forwarded-For held."""
    address, name = json.dumps((client or "")[:MAX_TEXT]), json.dumps(subject[:MAX_TEXT])
    return f',"client":{address},"subject":{name}'


def more_fields(stats: RequestStats) -> dict[str, object]:
    """The fields of the line that only some requests have."""
    more = dict(stats.fields or {})
    for kind, (calls, ms) in stats.totals().items():
        if kind != "db" and (kind != "pool_wait" or ms >= NOTICED_MS):
            more |= {f"{kind}_calls": calls, f"{kind}_ms": round(ms, 3)}
    if stats.cache_reason:
        more["cache_reason"] = stats.cache_reason
    return more and {name: _valid(value) for name, value in more.items()}


def _valid(value: object) -> object:
    """JSON has no NaN and no infinity; with one of them there would be no line at all."""
    return value if not isinstance(value, float) or isfinite(value) else str(value)
