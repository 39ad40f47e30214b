"""Locks of the migrations since the last release, rehearsed on filled tables.

They run on two throw-away databases, with few rows and with many. A lock that keeps the last
release's traffic waiting is refused if its time grows with the rows and is too long for the number
of rows that config/slo.toml names: an absolute limit would find nothing at a size that is quick
to fill.
"""

import importlib
import json
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from vitals.ops import services, slo
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused
from vitals.ops.services import postgres

# The locks that traffic waits for, the strongest first, and who waits (PostgreSQL manual, 13.3).
WAITING = {
    "AccessExclusiveLock": "reads and writes",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
    "row locks": "writes of its rows",
}
Holds = dict[tuple[str, str, str], dict[str, Any]]  # by statement, table and lock
FEW, MANY = 2_000, 200_000
GROWTH, LEAST_SECONDS = 5, 0.02  # from few to many rows; a shorter one is noise
STALL_SECONDS, AGAIN = 0.5, 2  # a busy machine may stand still for as long: it is measured again
IN_FOLDER = ["/bin/sh", "-c", 'cd "$0" && exec "$@"']  # alembic.ini means the folder we are in
BATCHES = (
    "in batches, each with its commit: `DO $$ … LOOP … COMMIT; END LOOP; … $$` in "
    "`with op.get_context().autocommit_block():`"
)
WAYS = {  # expand and contract, by the statement; the first that fits
    r"CREATE .*INDEX": "create it in `with op.get_context().autocommit_block():` with "
    "postgresql_concurrently=True",
    r".*(ADD|PRIMARY|UNIQUE).*\b(PRIMARY KEY|UNIQUE)\b": "create a unique index concurrently, then "
    "ADD CONSTRAINT … USING INDEX",
    r".*ADD .*\b(FOREIGN KEY|REFERENCES|CHECK)\b": "add it with postgresql_not_valid=True, and "
    "VALIDATE CONSTRAINT in a migration of its own",
    r".*SET NOT NULL": "add CHECK (… IS NOT NULL) as NOT VALID, VALIDATE it in a migration of its "
    "own, then SET NOT NULL in the next",
    r".*ALTER COLUMN .* TYPE": f"add a new column, fill it {BATCHES}; let the next release read "
    "it, and drop the old one after that",
    r".*ADD COLUMN": f"add it without a value, then fill it {BATCHES}",
    r"(WITH|UPDATE|DELETE)\b": f"change the rows {BATCHES}",
    "": f"take the lock in a short migration of its own; do what takes long without it, {BATCHES}",
}


class TableLimits(BaseModel, extra="forbid"):
    rows: int = 0
    fill: str = ""


class Limits(BaseModel, extra="forbid"):
    """What config/slo.toml says of migrations."""

    lock_seconds: float = 2
    rows: int = 10_000_000
    table: dict[str, TableLimits] = {}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read them. Raises `Refused` for what is unknown or no number."""
        try:
            return cls.model_validate(slo.table(folder).get("migrations", {}))
        except ValidationError as error:
            wrong = sorted(".".join(map(str, each["loc"])) for each in error.errors())
            found = f"{slo.SOURCE}: [migrations] {', '.join(wrong)}"
            raise Refused(found, "lock_seconds, rows; and of a table rows, fill") from error

    def rows_of(self, table: str) -> int:
        return self.table.get(table, TableLimits()).rows or self.rows


def rehearse_locks(before: Path, this: Path) -> str:
    """Run the migrations that the folder `this` has and `before` lacks; describe their locks.

    Raises `Refused` with each lock that would keep the last release waiting for too long, and the
    way without it.
    """
    schema = importlib.import_module("vitals.ops.check.schema")  # it needs a database's packages
    known = {script.revision for script in schema.scripts(before)}
    new = [script for script in schema.scripts(this) if script.revision not in known]
    if not known or not new:
        return "no migration since the last release"
    limits, used = Limits.read(this), schema.named(before)
    touched = named_in(" ".join(map(schema.sql, new)), used)
    if not touched:
        return f"{len(new)} migrations, none of a table that the last release uses"
    heads = [script.revision for script in schema.scripts(before) if script.is_head]
    fill = {name: each.fill for name, each in limits.table.items() if each.fill}
    run = partial(_run, this, heads, touched, fill)
    (not_filled, few), (_, many) = run(FEW), run(MANY, with_traffic=True)
    for _ in range(AGAIN):  # without traffic, which costs a short lock some milliseconds
        if any(each.is_doubtful for each in _held(few, many, limits)):
            few, many = _shortest(few, run(FEW)[1]), _shortest(many, run(MANY)[1])
    held = [each for each in _held(few, many, limits) if each.table in used]
    lines = [*(f"  {each}" for each in held), *(f"  not rehearsed: {why}" for why in not_filled)]
    if long := [each for each in held if each.is_too_long]:
        found = f"{len(long)} locks keep traffic waiting for more than {limits.lock_seconds:g} s"
        raise Refused(found, "short locks", "as it stands with each of them", "\n".join(lines))
    return "\n".join([f"{len(new)} migrations, {len(held)} locks that traffic waits for", *lines])


def named_in(sql: str, tables: Iterable[str]) -> list[str]:
    return [name for name in tables if re.search(rf"\b{re.escape(name)}\b", sql)]


def way(statement: str) -> str:
    return WAYS[next(each for each in WAYS if re.match(each, statement, re.IGNORECASE))]


def _seconds(found: dict[str, Any]) -> float:
    return float(found["seconds"])


def _shortest(one: Holds, other: Holds) -> Holds:
    """Return the shorter of two; who waited is known of the first."""
    pairs = ((key, each, other.get(key, each)) for key, each in one.items())
    return {key: min(a, b, key=_seconds) | {"waited": a["waited"]} for key, a, b in pairs}


def _held(few: Holds, many: Holds, limits: Limits) -> list["_Held"]:
    none = {"seconds": 0.0}
    return [_Held(each, _seconds(few.get(key, none)), limits) for key, each in many.items()]


class _Held:
    """A lock and for how long it was held, with many rows and as many as the table has."""

    def __init__(self, found: dict[str, Any], few_seconds: float, limits: Limits) -> None:
        self.table, self._lock, self._statement = found["table"], found["lock"], found["statement"]
        self._seconds, self._few_seconds = found["seconds"], few_seconds
        waited = ", ".join(f"{who} waited {found['waited'][who]:.3f} s" for who in found["waited"])
        self._waited = f" ({waited})" if waited else ""
        self._rows = limits.rows_of(self.table)
        scaled = self._seconds * self._rows / MANY
        may_be_too_long = self._seconds >= LEAST_SECONDS and scaled > limits.lock_seconds
        grows = self._seconds >= GROWTH * few_seconds
        self.is_doubtful = may_be_too_long and self._seconds < STALL_SECONDS
        self.is_too_long = may_be_too_long and grows
        self._scaled = scaled if grows else self._seconds
        is_itself_slow = found["took"] > self._seconds / 2
        self._way = way(self._statement if is_itself_slow else "")
        self._meanwhile = "" if is_itself_slow else f" while `{_shortened(found['slowest'])}` ran"

    def __str__(self) -> str:
        many = f"{self._seconds:.3f} s with {MANY:,} rows{self._waited}"
        few = f"{self._few_seconds:.3f} s with {FEW:,}"
        long = f"{self._meanwhile}. Fix: {self._way}" if self.is_too_long else ""
        return (
            f"{_shortened(self._statement)}: {self._lock} on {self.table} until the commit: "
            f"{many}, {few}, about {self._scaled:,.2f} s with {self._rows:,}; "
            f"{WAITING[self._lock]} wait{long}"
        )


def _shortened(statement: str) -> str:
    return statement if len(statement) < 80 else f"{statement[:79]}…"


def _run(
    this: Path,
    base: list[str],
    tables: list[str],
    fill: dict[str, str],
    rows: int,
    with_traffic: bool = False,
) -> tuple[list[str], Holds]:
    """Run them on a database of its own; return what isn't rehearsed, and the longest holds."""
    with services.throw_away(postgres.SERVICE) as server:
        environment = {"APP_ENVIRONMENT": "test", "APP_DATABASE_URL": server.url}
        environment |= {"PYTHONPATH": str(this), "PYTHONSAFEPATH": "1"}
        task = json.dumps([base, tables, rows, fill, with_traffic])
        module = [shell.PYTHON, "-m", "vitals.ops.deploy.lock_recorder", task]
        output = shell.check_output([*IN_FOLDER, this, *module], environment)
    failed, held = json.loads(output.strip().rpartition("\n")[2])
    longest = {(x["statement"], x["table"], x["lock"]): x for x in sorted(held, key=_seconds)}
    fix = f'Fix: [migrations.table.NAME] fill = "INSERT …" in {slo.SOURCE}'
    return [f"{what}. {fix}" for what in failed], longest
