"""The results of the comparison, as a page of tables in Markdown."""

import os
import platform
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from benchmarks.variants import BARE, LAST, MISSED, ONE, TRACED, VARIANTS, Shape, shapes_of

Served = Mapping[str, Mapping[str, int]]  # by run and target
NAMES = {  # of a service's requests
    "GET /items/1": "read, cached",
    "GET /items?after=%d": "page of 20",
    "POST /items": "create",
    "GET /items/%d": "read, not cached",
    "GET /livez": "/livez",
    "GET /nothing/here": "404",
}
PAGE = """# What watching costs

`make bench` wrote this page, with {python} on {processors} processors; their load was {load}.

Instructions of one request are counted by callgrind, in user mode only: what the kernel does for
a request is left out, as are C's `malloc` and `free`, whose work depends on what else lies in
memory, and what runs by the clock outside of requests: checks once a second, the log's writing
thread, sweeps of connections, the export of traces, garbage collection. The lines of the log are
counted with the requests that wrote them. From run to run a figure moves by up to a percent.

Instructions over those of bare FastAPI (`FastAPI(telemetry=…)` with all of it off), in process.
*Everything on* is `vitals.install` with its index of routes, security headers, limits, time-outs,
metrics, log lines and Server-Timing. Requests/s are those kept behind uvicorn with 30 routes in 5
routers, the last of them, in turns with bare FastAPI.

{first}
With traces, whose export goes nowhere:

{traced}
## By routes

The first column is thousands of instructions of bare FastAPI, the others are multiples of it.
Others are counted with 1 and 100 routes. *cache hit* and *statement* do the same work everywhere.

{shapes}
## Behind a server

Bare FastAPI behind uvicorn without an access log, and everything on behind our server with
allowed hosts and trusted proxies, with one route, in thousands of instructions.

{servers}
## The generated service and the same by hand

`benchmarks/plain.py` has the same routes, tables and cached rows, as the documentation of FastAPI
and SQLAlchemy writes them, with FastAPI's default telemetry and without lines of an access log.
Both run on a real PostgreSQL and a real Valkey, in thousands of instructions of the server.
Unlike plain, the generated service caches pages too, and a create makes them misses: these rows
are shown with that, and for a project that was generated without a cache.

{services}
## Beside the requests

```text
{more}```
"""


class Results(NamedTuple):
    instructions: Mapping[str, list[int]]  # by variant, in the order of its shapes
    requests_per_second: Mapping[str, float]

    def of(self, name: str, shape: Shape) -> int:
        shapes = shapes_of(name)
        return self.instructions[name][shapes.index(shape)] if shape in shapes else 0

    def ratio(self, name: str, shape: Shape) -> str:
        count = self.of(name, shape)
        return f"{count / self.of(BARE, shape):.2f}" if count else ""


def page(results: Results, served: Served, more: str, load: str) -> str:
    """All tables as a page."""
    return PAGE.format(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        processors=os.cpu_count(),
        load=load,
        first=_summary(results, VARIANTS, with_rates=True),
        traced=_summary(results, TRACED, with_rates=False),
        shapes=_shapes(results),
        servers=_servers(served),
        services=_services(served),
        more=more,
    )


def _summary(results: Results, names: Iterable[str], *, with_rates: bool) -> str:
    columns = {"1 route": ONE, "last of 100 in 10 routers": LAST, "404 of these": MISSED}
    rows = []
    for name in names:
        cells = [results.ratio(name, shape) for shape in columns.values()]
        if name == BARE:
            cells = [f"{results.of(name, shape):,}" for shape in columns.values()]
        rate = [f"{results.requests_per_second[name]:.2f}"] if with_rates else []
        rows.append([name, *cells, *rate])
    return table(["", *columns, *(["requests/s"] if with_rates else [])], rows)


def _shapes(results: Results) -> str:
    others, rows = [name for name in (*VARIANTS, *TRACED) if name != BARE], []
    for shape in shapes_of(BARE):
        ratios = [results.ratio(name, shape) for name in others]
        rows.append([str(shape), _thousands(results.of(BARE, shape)), *ratios])
    return table(["", BARE, *others], rows)


def _servers(served: Served) -> str:
    bare, ours = (served[f"{kind}, 0 more"] for kind in ("bare", "installed"))
    names = ("a request", "with X-Forwarded-For and -Proto")
    rows = [_row(name, bare[t], ours[t]) for name, t in zip(names, bare, strict=True)]
    return table(["", BARE, "everything on", "ratio"], rows)


def _services(served: Served) -> str:
    rows = []
    for run, counts in served.items():
        kind, _, how = run.partition(", ")
        if kind != "generated":
            continue
        more = int(how.split()[-2])
        plain = served[f"plain, {more} more"]
        note = (", project without a cache" if "without" in how else "") + (
            f", {more} routes more" if more else ""
        )
        rows += [_row(NAMES[t] + note, plain[t], count) for t, count in counts.items()]
    return table(["", "plain", "generated", "ratio"], rows)


def _row(name: str, plain: int, ours: int) -> list[str]:
    return [name, _thousands(plain), _thousands(ours), f"{ours / plain:.2f}"]


def _thousands(count: int) -> str:
    return f"{count / 1000:,.0f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
