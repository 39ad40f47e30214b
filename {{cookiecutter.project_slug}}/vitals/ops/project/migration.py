"""Schema changes: applies the missing migrations, or writes a new one with its NAME (`new`).

A new migration holds what the tables in the code have and the database lacks.
"""

import os
import sys
from collections.abc import Mapping

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

WRITTEN = "migrations/versions/*.py"
READ_IT = "read it before you use it; a renamed column looks like a removed one"
EMPTY = "empty, as the database has all tables of the code; change one first, or write it by hand"


def apply(environment: Mapping[str, str] | None = None) -> str:
    """Bring the database that the settings name up to date. Safe to repeat.

    Raises `Refused` with the reason when it cannot: nothing is changed then.
    """
    return _alembic("upgrade", "head", environment=environment)


def write(name: str) -> str:
    """Write a migration; return its file and what to do with it.

    Raises `Refused` without a name, and when the database does not answer.
    """
    if not name.strip():
        raise Refused("no NAME", "what it does", '`make migration NAME="add a price"`')
    apply()
    before = set(shell.ROOT.glob(WRITTEN))
    _alembic("revision", "--autogenerate", "--message", name.strip())
    [new] = set(shell.ROOT.glob(WRITTEN)) - before
    empty = "op." not in new.read_text(encoding="utf-8")
    return f"{new.relative_to(shell.ROOT)}: {EMPTY if empty else READ_IT}"


def _alembic(*words: str, environment: Mapping[str, str] | None = None) -> str:
    where = {"APP_ENVIRONMENT": os.environ.get("APP_ENVIRONMENT", "local")}
    command = [shell.PYTHON, "-m", "alembic", *words]
    return shell.check_output(command, where | dict(environment or {}), with_errors=True)


def main() -> None:
    new = sys.argv[1:] == ["new"]
    if said := (write(os.environ.get("NAME", "")) if new else apply()).rstrip():
        steps.say(said)


if __name__ == "__main__":
    steps.exit_with(main)
