"""Locks of the migrations since the last release, rehearsed on filled tables.

They run on two throw-away databases, with few rows and with many. A lock that keeps the last
release's traffic waiting is refused if its time grows with the rows and is too long for the number
of rows that config/slo.toml names: an absolute limit would find nothing at a size that is quick
to fill.
"""

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vitals.ops import services, slo
from vitals.ops.run import project_file, shell
from vitals.ops.run.steps import Refused
from vitals.ops.services import postgres

if TYPE_CHECKING:
    from vitals.ops.deploy.rehearse import Rehearsal

# The locks that traffic waits for, the strongest first, and who waits (PostgreSQL manual, 13.3).
WAITING = {
    "AccessExclusiveLock": "reads and writes",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
    "row locks": "writes of its rows",
}
FEW, MANY = 2_000, 200_000
GROWTH, LEAST_SECONDS = 5, 0.02  # from few to many rows; a shorter one is noise
IN_FOLDER = ["/bin/sh", "-c", 'cd "$0" && exec "$@"']  # alembic.ini means the folder we are in
FILL = f'Fix: [migrations.table.NAME] fill = "INSERT …" in {slo.SOURCE}'
BATCHES = (
    "in batches, each with a commit of its own, as in `with op.get_context().autocommit_block():`"
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


class Limits(NamedTuple):
    """What config/slo.toml says of migrations."""

    lock_seconds: float
    rows: dict[str, int]  # of the tables that it names
    rows_otherwise: int
    fill: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Limits":
        """Read them. Raises `Refused` for what is unknown."""
        table = tomllib.loads((folder / slo.SOURCE).read_text(encoding="utf-8"))
        given: dict[str, Any] = table.get("migrations", {})
        tables: dict[str, dict[str, Any]] = given.get("table", {})
        unknown = given.keys() - {"lock_seconds", "rows", "table"}
        unknown |= {key for each in tables.values() for key in each} - {"rows", "fill"}
        if unknown:
            found = f"{slo.SOURCE}: [migrations] {', '.join(sorted(unknown))}"
            raise Refused(found, "lock_seconds, rows; and of a table rows, fill")
        rows = {name: int(each["rows"]) for name, each in tables.items() if "rows" in each}
        fill = {name: str(each["fill"]) for name, each in tables.items() if "fill" in each}
        seconds = float(given.get("lock_seconds", 2))
        return cls(seconds, rows, int(given.get("rows", 10_000_000)), fill)


def hold_no_long_lock(rehearsal: "Rehearsal") -> str:
    """A step of the rehearsal: no migration keeps the last release's traffic waiting for long."""
    if "metadata" not in project_file.table():
        return "no database"
    return rehearse_locks(rehearsal.before.folder, rehearsal.this.folder)


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
    heads = [script.revision for script in schema.scripts(before) if script.is_head]
    sql = " ".join(map(schema.sql, new))
    touched = [name for name in used if re.search(rf"\b{re.escape(name)}\b", sql)]
    try:
        (failed, few), (_, many) = (_run(this, heads, touched, n, limits.fill) for n in (FEW, MANY))
    except Refused as refused:
        said = refused.output.strip().rpartition("\n")[2]
        return f"not rehearsed: on made rows the migrations fail: {said}. {FILL}"
    held = [
        _Held(each, few[key]["seconds"] if key in few else 0.0, limits)
        for key, each in many.items()
    ]
    held = [each for each in held if each.table in used]
    lines = [f"  {each}" for each in held]
    lines += [
        f"  not rehearsed: {name} can't be filled: {why}. {FILL}" for name, why in failed.items()
    ]
    if long := [each for each in held if each.scaled > limits.lock_seconds]:
        found = f"{len(long)} locks keep traffic waiting for more than {limits.lock_seconds:g} s"
        ways = "; ".join(dict.fromkeys(each.way for each in long))
        raise Refused(found, "short locks", ways, "\n".join(lines))
    return "\n".join([f"{len(new)} migrations, {len(held)} locks that traffic waits for", *lines])


class _Held:
    """A lock and for how long it was held, with many rows and as many as the table has."""

    def __init__(self, found: dict[str, Any], few_seconds: float, limits: Limits) -> None:
        self.table, self._lock, self._statement = found["table"], found["lock"], found["statement"]
        self._seconds, self._few_seconds = found["seconds"], few_seconds
        self._rows = limits.rows.get(self.table, limits.rows_otherwise)
        grows = self._seconds >= max(GROWTH * few_seconds, LEAST_SECONDS)
        self.scaled = self._seconds * self._rows / MANY if grows else self._seconds
        is_itself_long = found["took"] > self._seconds / 2
        patterns = WAYS if is_itself_long else [""]
        self.way = next(
            WAYS[pattern]
            for pattern in patterns
            if re.match(pattern, self._statement, re.IGNORECASE)
        )

    def __str__(self) -> str:
        statement = self._statement if len(self._statement) < 80 else f"{self._statement[:79]}…"
        measured = (
            f"{self._seconds:.3f} s with {MANY:,} rows, {self._few_seconds:.3f} s with {FEW:,}"
        )
        return (
            f"{statement}: {self._lock} on {self.table} until the commit: {measured}, about "
            f"{self.scaled:.2g} s with {self._rows:,}; {WAITING[self._lock]} wait"
        )


def _run(
    this: Path, base: list[str], tables: list[str], rows: int, fill: dict[str, str]
) -> tuple[dict[str, str], dict[tuple[str, ...], dict[str, Any]]]:
    """Run them on a database of its own; return what can't be filled, and the longest holds."""
    with services.throw_away(postgres.SERVICE) as server:
        environment = {"APP_ENVIRONMENT": "test", "APP_DATABASE_URL": server.url}
        environment |= {"PYTHONPATH": str(this), "PYTHONSAFEPATH": "1"}
        asked = json.dumps([base, tables, rows, fill])
        module = [shell.PYTHON, "-m", "vitals.ops.deploy.lock_recorder", asked]
        output = shell.check_output([*IN_FOLDER, this, *module], environment)
    failed, held = json.loads(output.strip().rpartition("\n")[2])
    longest: dict[tuple[str, ...], dict[str, Any]] = {}
    for each in sorted(held, key=lambda each: each["seconds"]):
        longest[each["statement"], each["table"], each["lock"]] = each
    return failed, longest
