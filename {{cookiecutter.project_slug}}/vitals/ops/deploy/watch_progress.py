"""Progress of a watch: a table that is redrawn at a terminal, one line every 30 s elsewhere."""

import sys
import time

from vitals.ops.deploy.samples import Routes
from vitals.ops.deploy.watch_looks import MIB, Look
from vitals.ops.deploy.watch_rule import MIN_REQUESTS
from vitals.ops.run import steps

REPORT_SECONDS = 30
MOST_ROUTES = 15  # of the table, the busiest first


class Progress:
    def __init__(self, version: str, ends: float) -> None:
        self._version, self._ends = version, ends
        self._said_at, self._lines, self._looks, self._outages = time.monotonic(), 0, 0, 0

    def update(self, look: Look, counted: Routes) -> None:
        """Show a look, and what was counted since the first one."""
        self._looks, self._outages = self._looks + 1, self._outages + (not look.judged)
        line = f"watching {self._version}, {max(0, self._ends - time.time()):.0f} s left: "
        line += summary(counted) + ("" if look.judged else "; the old version fails as well")
        if sys.stdout.isatty():
            lines = [line, *_table(look, counted)]
            steps.redraw(lines, self._lines)
            self._lines = len(lines)
        elif time.monotonic() - self._said_at >= REPORT_SECONDS:
            self._said_at = time.monotonic()
            steps.say(line)

    def end(self, counted: Routes) -> None:
        """Say what the watch has seen, and what it could not judge."""
        few = [
            name for name, counts in sorted(counted.items()) if counts["requests"] < MIN_REQUESTS
        ]
        line = f"watched to its end: {summary(counted)}"
        line += f"; too few requests to judge {', '.join(few)}" if few else ""
        if self._outages:
            line += (
                f"; {self._outages} of {self._looks} looks not judged: the old version failed too"
            )
        steps.say(line)


def summary(counted: Routes) -> str:
    """Return how many requests there were, and how many failed."""
    requests, errors = (sum(c[key] for c in counted.values()) for key in ("requests", "errors"))
    return f"{requests:,} requests, {errors:,} failed"


def _table(look: Look, counted: Routes) -> list[str]:
    busiest = sorted(counted.items(), key=lambda each: -each[1]["requests"])[:MOST_ROUTES]
    lines = [f"  {'route':<40} {'requests':>10} {'failed':>8}"]
    lines += [f"  {name:<40} {c['requests']:>10,} {c['errors']:>8,}" for name, c in busiest]
    for name, (ready, sample, _) in look.replicas.items():
        memory = f"{sample.memory_bytes / MIB:.0f} MiB" if sample else "no answer of /metrics"
        lines.append(f"  {name}: {'ready' if ready else 'not ready'}, {memory}")
    return lines
