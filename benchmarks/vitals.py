"""The cost of the four vitals beside the request: python -m benchmarks.vitals

Runs in build/bench, which benchmarks.bench sets up. Prints each figure beside its limit.
"""

import asyncio
import json
import random
import re
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from benchmarks import variants
from benchmarks.work import asker

PAIRS = 9
SERIES = 10_000
UNITS = 1_000
BARE = "from fastapi import FastAPI; FastAPI()"
WATCHED = BARE + "; from vitals.observability import access_log, metrics, middleware, tracing"
USED = """
import json, re, time
status = open("/proc/self/status").read()  # getrusage would tell of the process that forked it
print(json.dumps([time.process_time(), int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024]))
"""


def main() -> None:
    start_up()
    asyncio.run(scrape())
    asyncio.run(counting())
    asyncio.run(random_paths())


def start_up() -> None:
    """CPU and memory of importing FastAPI alone, and with all of observability, in turn."""
    cpu, memory = [], []
    for _ in range(PAIRS):
        bare, watched = _started(BARE), _started(WATCHED)
        cpu.append(100 * (watched[0] / bare[0] - 1))
        memory.append(watched[1] - bare[1])
    row("start-up CPU added", statistics.median(cpu), 10, "%")
    row("start-up memory added", statistics.median(memory), 3, "MB")


def _started(code: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", code + USED],
        cwd=variants.PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    used: list[float] = json.loads(done.stdout)
    return used


async def scrape() -> None:
    """The longest time by the clock on the wall that others waited for /metrics."""
    from vitals.observability.metric_types import DURATION_BUCKETS
    from vitals.observability.metrics import Metrics

    metrics = Metrics({}, list, [])
    while len(metrics_lines := (await metrics.text()).splitlines()) < SERIES:
        for number in range(len(metrics_lines), len(metrics_lines) + 50):
            labels = {"http_request_method": "GET", "http_route": f"/route/{number}/{{item_id}}"}
            metrics.histogram(
                "http_server_request_duration_seconds", DURATION_BUCKETS, labels
            ).observe(0.1)
    held = [await _longest_wait(metrics.text) for _ in range(PAIRS)]
    row(f"/metrics of {len(metrics_lines):,} series", statistics.median(held), 15, "ms")


async def _longest_wait(work: Callable[[], Any]) -> float:
    waits, last = [0.0], time.perf_counter()
    task = asyncio.ensure_future(work())
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        waits.append(now - last)
        last = now
    return max(waits) * 1000


async def counting() -> None:
    """The hooks round a statement, over that of the statement, on SQLite: the fastest there is."""
    from sqlalchemy import text

    from vitals import database as module
    from vitals import request_stats, statements

    file = Path(tempfile.mkdtemp(), "counting.db")
    database = module.Database(
        f"sqlite:///{file}",
        migrations=variants.PROJECT / "migrations",
        pool_size=1,
        deadline_seconds=60,
        slow_query_ms=60_000,
    )
    request_stats.current.set(request_stats.RequestStats(""))
    async with database.transaction() as session:
        for _ in range(UNITS):
            await session.execute(text("SELECT 1"))
        started = time.process_time()
        for _ in range(UNITS):
            await session.execute(text("SELECT 1"))
        statement = time.process_time() - started
    await database.close()
    started = time.process_time()
    for _ in range(UNITS):
        statements._execute("do_execute", None, "SELECT 1", (), Context)
    hooks = time.process_time() - started
    row("counting, over the statement's time", 100 * hooks / statement, 3, "%")


async def random_paths() -> None:
    """The series that 500 random paths and methods add."""
    from fastapi import FastAPI

    from vitals import outermost
    from vitals.observability.access_log import AccessLog
    from vitals.observability.metrics import Metrics
    from vitals.observability.middleware import ObservabilityMiddleware
    from vitals.observability.observed_request import Answers

    metrics, chance = Metrics({}, list, []), random.Random(5)
    access_log = AccessLog(metrics, "json", "info", write=lambda _: None)
    app = FastAPI(telemetry=variants.NONE)
    outermost.wrap(
        app,
        lambda stack: ObservabilityMiddleware(stack, stack, None, Answers(access_log)),
        answer_errors=True,
    )
    for _ in range(500):
        word = "".join(chance.choices(string.ascii_letters, k=8))
        await asker(app, f"/{word}", chance.choice(["GET", "POST", word.upper()]))(1)
    series = re.findall(
        "^http_server_request_duration_seconds_count", await metrics.text(), re.MULTILINE
    )
    row("series of 500 random requests", len(series), 2, "")


class Connection:
    """As much of a connection as the hooks look at."""

    engine: ClassVar[Any] = type("Engine", (), {"vitals_slow_ms": 60_000})

    @staticmethod
    def in_transaction() -> bool:
        return True


class Context:
    """The context of a statement whose dialect does nothing."""

    root_connection = Connection
    dialect: ClassVar[Any] = type("Dialect", (), {"do_execute": lambda *_: None})


def row(what: str, figure: float, limit: float, unit: str) -> None:
    sys.stdout.write(f"{what:36} {figure:8.2f} {unit:3} limit {limit:g}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
