"""What a database's errors mean: a temporary state, a conflict, or a defect of the code."""

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from vitals.problems import Problem

# SQLSTATE classes of a temporary state: connection, read-only (it is a standby since a failover),
# authorization, catalog, transaction rollback, resources, operator.
TRANSIENT_STATES = ("08", "25006", "28", "3D", "40", "53", "57")
# SQLite's messages in such a state; its other errors are defects of the code.
TRANSIENT_MESSAGES = (
    "database is locked",
    "database or disk is full",
    "disk I/O",
    "unable to open",
)
UNIQUE_VIOLATION = "23505"
UNIQUE_MESSAGE = "UNIQUE constraint failed: "  # SQLite's; then the columns


class Conflict(Problem):
    """A 409: a value that must be unique exists already. Nothing was stored.

    `constraint` is the constraint's name on PostgreSQL, and `table.column` on SQLite.
    """

    def __init__(self, constraint: str = "") -> None:
        super().__init__(409, "this exists already", expected="a value that nothing else has")
        self.constraint = constraint


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed later."""
    state = getattr(error.orig, "sqlstate", None) or ""
    is_file = isinstance(error, OperationalError) and str(error.orig).startswith(TRANSIENT_MESSAGES)
    return error.connection_invalidated or state.startswith(TRANSIENT_STATES) or is_file


def conflict(error: DBAPIError) -> Conflict | None:
    """The conflict that an error means: a violation of a unique constraint."""
    text, cause = str(error.orig), getattr(error.orig, "__cause__", None)
    if not isinstance(error, IntegrityError):
        return None
    if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION:
        return Conflict(getattr(cause, "constraint_name", None) or "")
    return Conflict(text.removeprefix(UNIQUE_MESSAGE)) if text.startswith(UNIQUE_MESSAGE) else None
