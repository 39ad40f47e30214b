"""The statements of SQLAlchemy's engines: each is counted in the stats of its request."""

import logging
import time
from functools import partial
from typing import Any

from sqlalchemy import Engine, event

from vitals import request_stats

HAS_FAILED = "has_failed"  # of a connection: a statement of this transaction, outside savepoints
SLOW, SLOW_MS = "vitals_slow_ms", 200  # of one engine; of those that say nothing
log = logging.getLogger(__name__)


def count_statements(engine: Engine | type[Engine], slow_ms: float = SLOW_MS) -> None:
    """Count each statement in the stats of the request that sends it; log the slow ones.

    These events cost a tenth of those of cursors, which switch SQLAlchemy to a slow path.
    """
    setattr(engine, SLOW, slow_ms)
    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        event.listen(engine, name, partial(_execute, name))


def count_all() -> None:
    """Count those of every engine, made earlier or later, once for this process."""
    if not hasattr(Engine, SLOW):
        count_statements(Engine)


def _execute(name: str, cursor: object, statement: str, *rest: Any) -> bool:
    """Execute a statement in the place of the dialect; `rest` ends with its context."""
    context, started, has_failed = rest[-1], time.perf_counter(), True
    try:
        getattr(context.dialect, name)(cursor, statement, *rest)
        has_failed = False
    finally:
        ms = (time.perf_counter() - started) * 1000
        # SQLAlchemy's own, on its first connection, are outside transactions.
        if context.root_connection.in_transaction():
            request_stats.add_call("db", ms, statement)
            if has_failed:
                request_stats.add_call("db_failed", 0)
                # PostgreSQL rolls back at the next COMMIT, and reports no error then.
                if not context.root_connection.in_nested_transaction():
                    context.root_connection.info[HAS_FAILED] = True
            if ms >= getattr(context.root_connection.engine, SLOW):
                fields = {"statement": statement, "statement_ms": round(ms, 1)}
                log.warning("slow statement", extra=fields)  # without its parameters
    return True
