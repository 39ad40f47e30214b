"""Compatibility of the schema with the last release, which a rollback starts again.

Each migration since then is read as SQL, and held against the tables and columns that the last
release's own code names. What it no longer names may go.
"""

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from vitals.ops.check import lock_rules
from vitals.ops.deploy.targets import database
from vitals.ops.release import releases
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

if TYPE_CHECKING:
    from alembic.script import Script

Tables = dict[str, dict[str, bool]]  # table -> column -> whether it may be empty
NAMED = """
import importlib, json, pathlib, pkgutil, sys, tomllib
project = tomllib.loads(pathlib.Path(sys.argv[1], "pyproject.toml").read_text())
names, metadata = project.get("tool", {}).get("vitals", {}), None
if "metadata" in names:
    importlib.import_module(names["application"].partition(":")[0])  # it has all features
    module, _, attribute = names["metadata"].partition(":")
    metadata = getattr(importlib.import_module(module), attribute)
elif "application" not in names:  # a release from before the engine had a folder of its own
    import app
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    metadata = app.database.Base.metadata
tables = () if metadata is None else metadata.tables.values()  # None: it had no database
print(json.dumps({t.name: {c.name: bool(c.nullable) for c in t.columns} for t in tables}))
"""
ALTER_TABLE = r'^ALTER TABLE (?:ONLY )?(?:\w+\.)?"?(?P<table>\w+)"? '
COLUMN = r'"?(?P<column>\w+)"?'
GONE = (  # what is no longer there under its name
    r'^DROP TABLE (?:IF EXISTS )?(?:\w+\.)?"?(?P<table>\w+)"?',
    ALTER_TABLE + "RENAME TO",
    ALTER_TABLE + rf"DROP COLUMN (?:IF EXISTS )?{COLUMN}",
    ALTER_TABLE + rf"RENAME (?:COLUMN )?(?!TO |CONSTRAINT ){COLUMN} TO",
)
NEEDED = (  # what must be given from now on
    ALTER_TABLE + rf"ADD COLUMN (?:IF NOT EXISTS )?{COLUMN}(?!.*(DEFAULT|GENERATED)).* NOT NULL",
    ALTER_TABLE + rf"ALTER COLUMN {COLUMN} SET NOT NULL",
)


def check() -> str:
    """Say how many migrations the last release can live with. Raises `Refused` with all faults."""
    version = releases.last_version()
    if version is None or not (every := scripts(shell.ROOT)):
        return steps.NOTHING_TO_TEST
    last = releases.of(version, "production").folder
    moves = f"; {step}" if (step := database.another_version(last, shell.ROOT)) else ""
    known = {script.revision for script in scripts(last)}
    new = [script for script in every if script.revision not in known]
    if not new:
        return f"no migration since {version}{moves}"
    tables, files = named(last), {Path(script.path).name: sql(script) for script in new}
    faults = [x for file, text in files.items() for x in against(text, tables, file, version)]
    is_read = lock_rules.is_installed()
    faults += lock_rules.broken(files, tables) if is_read else []
    if faults:
        found = f"{len(faults)} statements that {version} can't run with, or would wait for"
        raise Refused(found, output="\n".join(faults))
    unread = "" if is_read else "; locks not read, as squawk can't be installed here"
    return f"{len(new)} migrations since {version}{unread}{moves}"


def against(statements: str, tables: Tables, file: str, version: str) -> Iterator[str]:
    """The statements that take what the release names, or ask of it what it does not give."""
    for statement in (" ".join(each.split()) for each in statements.split(";")):
        if _matches(GONE, statement, tables):
            yield (
                f"{file}: found {statement!r}, which {version} uses; expected that a rollback can "
                "run; first release code that no longer uses it, then remove it in the next"
            )
        elif _matches(NEEDED, statement, tables):
            yield (
                f"{file}: found {statement!r}, which {version} does not fill; expected that a "
                "rollback can run; give it a server default, or demand it in the next release"
            )


def _matches(patterns: tuple[str, ...], statement: str, tables: Tables) -> bool:
    for pattern in patterns:
        if found := re.match(pattern, statement, re.IGNORECASE):
            columns = tables.get(found["table"])
            column = found.groupdict().get("column")
            if columns is None:
                return False
            if patterns is NEEDED:
                return columns.get(str(column), True)
            return column is None or column in columns
    return False


def named(folder: Path) -> Tables:
    """The tables that the code in the folder names."""
    where = {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    tables: Tables = json.loads(shell.check_output([shell.PYTHON, "-c", NAMED, folder], where))
    return tables


def scripts(folder: Path) -> "list[Script]":
    """All migrations in the folder, the oldest first."""
    migrations = folder / "migrations"
    if not (migrations / "versions").is_dir():
        return []
    from alembic.script import ScriptDirectory  # only where there are migrations to look at

    return list(ScriptDirectory(str(migrations)).walk_revisions())[::-1]


def sql(script: "Script") -> str:
    """What a migration would do. Raises `Refused` when it can't tell without a database."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    written = StringIO()
    offline = {"as_sql": True, "output_buffer": written}
    context = MigrationContext.configure(dialect_name="postgresql", opts=offline)
    try:
        with Operations.context(context):
            script.module.upgrade()
    except (AttributeError, TypeError) as error:
        raise Refused(
            f"{Path(script.path).name} asks the database: {error}",
            "a migration that can be shown as SQL",
            "write what it does to the data as `op.execute(…)`",
        ) from error
    return written.getvalue()


if __name__ == "__main__":
    steps.exit_with(lambda: steps.say(check()))
