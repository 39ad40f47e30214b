"""Locks that migrations hold: fills tables, then migrates, in a process of its own.

After each statement the migration's own connection is asked which locks it has: a lock that a
short statement takes is held until the commit, and nobody who looks from outside sees it for sure.
"""

import asyncio
import json
import os
import re
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event

from vitals.database_engine import build_engine
from vitals.ops.deploy import lock_waits
from vitals.ops.deploy.fill import fill
from vitals.ops.deploy.locks import WAITING

STRENGTH = list(WAITING)
NOT_IN_A_TRANSACTION = re.compile(r"\b(CONCURRENTLY|COMMIT)\b|^\s*(VACUUM|CALL)\b", re.IGNORECASE)
LOCKS = """
SELECT relation::bigint, mode FROM pg_locks, pg_stat_force_next_flush()
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
UNION ALL SELECT relid::bigint, 'row locks' FROM pg_stat_xact_user_tables
WHERE n_tup_upd + n_tup_del >= {least}
"""
FLUSH = "SELECT pg_stat_force_next_flush(), ''"
TABLES = """
SELECT oid::bigint, relname FROM pg_class
WHERE relkind IN ('r', 'p') AND relname <> 'alembic_version'
"""


class LockRecorder:
    """The locks of each statement, and for how long they were held; its own time doesn't count."""

    def __init__(self, tables: dict[int, str], rows: int) -> None:
        self.held: list[dict[str, Any]] = []
        self._tables, self._locks = tables, LOCKS.format(least=rows // 10)
        self._open: dict[tuple[str, str], dict[str, Any]] = {}
        self._began = self._started = self._own_seconds = 0.0
        self._slowest = (0.0, "")  # of the transaction
        self._is_busy = self._is_alone = self._has_ended = False

    def listen(self) -> None:
        hooks = ("before_cursor_execute", "after_cursor_execute", "commit", "rollback")
        for name in hooks:
            event.listen(sa.Engine, name, getattr(self, name))

    def before_cursor_execute(self, connection: sa.Connection, *given: Any) -> None:
        if not self._is_busy:
            level = connection.get_execution_options().get("isolation_level")
            self._is_alone = level == "AUTOCOMMIT" and not NOT_IN_A_TRANSACTION.search(given[1])
            self._has_ended = level == "AUTOCOMMIT" and not self._is_alone
            if self._is_alone:  # its locks would be gone before the question
                self._query(connection, "BEGIN")
            self._began, self._started = time.monotonic(), self._now()

    def after_cursor_execute(self, connection: sa.Connection, *given: Any) -> None:
        if self._is_busy:
            return
        if self._has_ended:  # with its locks; what it counted must not be the next one's
            self._query(connection, FLUSH)
            return
        took, statement = self._now() - self._started, " ".join(given[1].split())
        self._slowest = max(self._slowest, (took, statement))
        found = self._query(connection, self._locks)
        for table in {self._tables[oid] for oid, _ in found if oid in self._tables}:
            locks = [lock for oid, lock in found if self._tables.get(oid) == table]
            lock = min(locks, key=STRENGTH.index)
            stronger = STRENGTH[: STRENGTH.index(lock) + 1]
            if not any((table, each) in self._open for each in stronger):
                new = {"statement": statement, "table": table, "lock": lock, "took": took}
                self._open[table, lock] = new | {"since": self._started, "began": self._began}
        if self._is_alone:
            self._query(connection, "COMMIT")
            self.commit(connection)

    def commit(self, _: sa.Connection) -> None:
        now, slowest = self._now(), self._slowest[1]
        for each in self._open.values():
            more = {"seconds": now - each["since"], "slowest": slowest, "ended": time.monotonic()}
            self.held.append(each | more)
        self.rollback(_)

    def rollback(self, _: sa.Connection) -> None:
        self._open.clear()
        self._slowest = (0.0, "")

    def _now(self) -> float:
        return time.monotonic() - self._own_seconds

    def _query(self, connection: sa.Connection, sql: str) -> list[Any]:
        began, self._is_busy = time.monotonic(), True
        found = connection.exec_driver_sql(sql)
        rows = [row for row in found if row[1] in WAITING] if found.returns_rows else []
        self._is_busy = False
        self._own_seconds += time.monotonic() - began
        return rows


async def _fill(url: str, tables: list[str], rows: int, given: Mapping[str, str]) -> Any:
    """Fill the tables; return what could not be filled, and the names of all tables."""
    engine = build_engine(url, 1, {})
    try:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            failed = await connection.run_sync(fill, tables, rows, given)
            names = (await connection.exec_driver_sql(TABLES)).mappings()
            return failed, {each["oid"]: each["relname"] for each in names}
    finally:
        await engine.dispose()


def main() -> None:
    """Do what the argument says, in JSON, and print what was seen as the last line, in JSON."""
    base, tables, rows, given, with_traffic = json.loads(sys.argv[1])
    config = Config("alembic.ini", cmd_opts=Namespace(cmd=[command.upgrade]))  # as its env.py reads
    for revision in base:
        command.upgrade(config, revision)
    failed, names = asyncio.run(_fill(os.environ["APP_DATABASE_URL"], tables, rows, given))
    not_rehearsed = [f"table {name} can't be filled: {why}" for name, why in failed.items()]
    recorder = LockRecorder(names, rows)
    recorder.listen()
    with lock_waits.beside(os.environ["APP_DATABASE_URL"], tables * with_traffic) as seen:
        try:
            command.upgrade(config, "heads")
        except CommandError as error:
            reason = re.sub(r"^\(\S+\) (<.*>: )?", "", str(error).partition("\n")[0])
            not_rehearsed.append(f"with made rows a migration fails: {reason}")
    for each in recorder.held:
        now = [x for x in seen if x[1] == each["table"] and each["began"] <= x[0] <= each["ended"]]
        each["waited"] = {who: seconds for _, _, who, seconds in sorted(now, key=lambda x: x[3])}
    print(json.dumps([not_rehearsed, recorder.held]))  # noqa: T201  read by `locks`


if __name__ == "__main__":
    main()
