"""How does the schema change? Applies what is missing, or writes a new migration.

A new one (`new`, with its NAME) is what the tables in the code have and the database has not.
"""

import os
import sys
from collections.abc import Mapping

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

ALEMBIC = [shell.PYTHON, "-m", "alembic"]


def apply(environment: Mapping[str, str] | None = None) -> str:
    """Bring the database that the settings name up to date. Safe to repeat.

    Raises `Refused` with the reason when it cannot: nothing is changed then.
    """
    return shell.must([*ALEMBIC, "upgrade", "head"], environment)


def write(name: str) -> str:
    """Write a migration. Read it before you use it: a renamed column looks like a lost one.

    Raises `Refused` without a name, and when the database does not answer.
    """
    if not name.strip():
        raise Refused("no NAME", "what it does", '`make migration NAME="add a price"`')
    apply()
    return shell.must([*ALEMBIC, "revision", "--autogenerate", "--message", name.strip()])


def main() -> None:
    new = sys.argv[1:] == ["new"]
    steps.say((write(os.environ.get("NAME", "")) if new else apply()).rstrip())


if __name__ == "__main__":
    steps.exit_with(main)
