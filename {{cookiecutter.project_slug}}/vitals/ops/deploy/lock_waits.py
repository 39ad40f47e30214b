"""Reads and writes beside a rehearsed migration, and how long a second session sees them wait."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import asyncpg

PAUSE_SECONDS, MOST_TABLES = 0.01, 20  # between two statements or looks; a table has 2 connections
TRAFFIC = {  # the locks of reads and writes, whatever becomes of a column
    "reads": 'SELECT FROM "{0}" LIMIT 1',
    "writes": 'LOCK TABLE "{0}" IN ROW EXCLUSIVE MODE; SELECT FROM "{0}" LIMIT 1 FOR UPDATE',
}
WAITING = """
SELECT application_name, extract(epoch FROM clock_timestamp() - query_start)::float8
FROM pg_stat_activity WHERE application_name LIKE '% rehearsed %' AND pg_blocking_pids(pid) <> '{}'
"""
Seen = list[tuple[float, str, str, float]]  # when, a table, who waits there, and how long so far


@contextmanager
def beside(url: str, tables: Sequence[str]) -> Iterator[Seen]:
    """Read and write the tables until the block ends; yield what is seen to wait meanwhile."""
    seen, end = Seen(), threading.Event()

    async def repeat(name: str, sql: str) -> None:
        # From a table's first row on, not where a migration's own scan happens to be.
        settings = {"application_name": name, "synchronize_seqscans": "off"}
        connection = await asyncpg.connect(url, server_settings=settings)
        while not end.is_set():
            with suppress(asyncpg.PostgresError):  # such as of a table that has gone
                if not name:
                    for who, seconds in await connection.fetch(sql):
                        kind, _, number = who.split()
                        seen.append((time.monotonic(), tables[int(number)], kind, seconds))
                else:
                    await connection.execute(sql)
            await asyncio.sleep(PAUSE_SECONDS)
        await connection.close()

    async def all_of_them() -> None:
        sent = [
            (f"{kind} rehearsed {n}", sql.format(name))
            for n, name in enumerate(tables[:MOST_TABLES])
            for kind, sql in TRAFFIC.items()
        ]
        await asyncio.gather(*(repeat(*each) for each in [("", WAITING), *sent]))

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()))
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()
