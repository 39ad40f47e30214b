"""How does the one line of a request look, as JSON and as text?

A line is its pieces put together; those that stand between the values of one request are filled
in once for each method, route and status.
"""

import json
from typing import NamedTuple

from app.observability.tally import Tally

NOTICED_MS = 1  # a shorter wait for a connection is not worth a field


class Style(NamedTuple):
    """The pieces in their order; `%s` and `%d` in them are filled in."""

    opening: str  # before the time
    before: str  # between the time and the request's id
    trace: str
    between: str  # before the duration
    costs: str
    error: str
    field: str  # one that joins only when there is something to tell
    end: str

    def more(self, tally: Tally) -> str:
        """What only some requests have to tell, and the end."""
        more = self.error % tally.error
        for kind in dict.fromkeys(call[0] for call in tally.calls if call[0] != "db"):
            calls, ms = tally.total(kind)
            if kind != "pool_wait" or ms >= NOTICED_MS:
                more += self.field % (f"{kind}_calls", calls)
                more += self.field % (f"{kind}_ms", round(ms, 3))
        if tally.cache_reason:
            more += self.field % ("cache_reason", json.dumps(tally.cache_reason))
        return more + self.end


STYLES = {
    "json": Style(
        opening='{"time":"',
        before='Z","level":"%s","event":"request","request_id":"',
        trace='","trace_id":"%s"',
        between=',"method":"%s","route":"%s","status":%d,"duration_ms":',
        costs=',"db_calls":%d,"db_ms":%.3f,"db_repeats":%d,"cache":"%s","bytes_out":',
        error=',"error":"%s"',
        field=',"%s":%s',
        end="}\n",
    ),
    "text": Style(
        opening="",
        before="Z %-7s ",
        trace=" %s",
        between="%s %s %d in ms ",
        costs=", database calls %d in ms %.1f, repeats %d, cache %s, bytes ",
        error=" %s",
        field=" %s=%s",
        end="\n",
    ),
}
