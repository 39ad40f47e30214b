"""Units of work outside requests: a job, a script, a consumer of messages.

A unit has a log line, metrics and rows on the status page, as a request has.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import urandom
from time import perf_counter
from typing import Literal

from vitals.request_stats import MAX_CALLS, MAX_TEXT, RequestStats, current


@asynccontextmanager
async def unit(kind: Literal["job", "task"], name: str) -> AsyncIterator[None]:
    """Observe the block of `async with vitals.unit("job", "send reminders"):`.

    `name` is a label: a bounded number of them, such as a function's name. Inside a request the
    unit has the request's ID. An exception is logged with its type and raised again.
    """
    outer = current.get()
    stats = RequestStats(outer.request_id if outer is not None else urandom(16).hex())
    writer = (outer or stats).unit_writer()
    token, started, outcome = current.set(stats), perf_counter(), "error"
    try:
        yield
        outcome = "completed"
    except BaseException as error:
        stats.error = type(error).__qualname__
        raise
    finally:
        current.reset(token)
        if outer is not None:  # a test's budget, or the request that waits for it
            outer.calls += stats.calls[: max(0, MAX_CALLS - len(outer.calls))]
        if writer is not None:
            writer(kind, stats, perf_counter() - started, outcome, {kind: name[:MAX_TEXT]})
        stats.closed = True
