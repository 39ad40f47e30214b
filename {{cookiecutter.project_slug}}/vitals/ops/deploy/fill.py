"""Rows for a throw-away database: made by SQL from the tables as the database describes them.

Values differ from row to row; a foreign key has the value of the row that it refers to.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

NUMBER, TEXT_LENGTH = "g", 100
BY_TYPE = (  # the first that fits; {n} is the length of a text, or what a number may not reach
    (sa.Enum, "'{first}'::\"{type}\""),
    (sa.Boolean, "g % 2 = 0"),
    (sa.SmallInteger, "g % 30000"),
    (sa.Integer, "g"),
    (sa.Float, "g"),
    (sa.Numeric, "g % {n}"),
    (sa.Uuid, "md5(g::text)::uuid"),
    (sa.String, "left(g || repeat(' ' || md5(g::text), 3), {n})"),
    (sa.DateTime, "timestamp '2026-01-01' + g * interval '1 second'"),
    (sa.Date, "date '2026-01-01' + (g % 10000)"),
    (sa.Time, "time '00:00' + g * interval '1 second'"),
    (sa.Interval, "g * interval '1 second'"),
    (sa.LargeBinary, "decode(repeat(md5(g::text), 4), 'hex')"),
    (sa.JSON, "json_build_object('n', g)"),
    (postgresql.INET, "'10.0.0.0'::inet + g"),
    (postgresql.ARRAY, "'{{}}'"),
)


def fill(
    connection: sa.Connection, names: Iterable[str], rows: int, given: Mapping[str, str]
) -> dict[str, str]:
    """Fill the tables, and those that they refer to; return why some can't be, by their names.

    `given` is the SQL that fills a table, by its name; `:rows` in it is the number of rows.
    """
    metadata = sa.MetaData()
    metadata.reflect(connection, only=lambda name, _: name != "alembic_version")
    wanted = {name for name in names if name in metadata.tables}
    tables = metadata.sorted_tables
    for table in reversed(tables):
        if table.name in wanted:
            wanted |= {key.column.table.name for key in table.foreign_keys}
    failed: dict[str, str] = {}
    for table in (table for table in tables if table.name in wanted):
        try:
            sql = given.get(table.name) or insert(table)
            connection.exec_driver_sql(sql.replace(":rows", str(rows)))
            for column in (c.name for c in table.columns if isinstance(c.type, sa.Integer)):
                serial = f"pg_get_serial_sequence('\"{table.name}\"', '{column}')"
                connection.exec_driver_sql(f"SELECT setval({serial}, {rows})")
            connection.exec_driver_sql(f'VACUUM ANALYZE "{table.name}"')  # as in production
        except (DBAPIError, ValueError) as error:
            failed[table.name] = str(getattr(error, "orig", error)).strip().rpartition(">: ")[2]
    return failed


def insert(table: sa.Table) -> str:
    """The statement that fills a table. Raises ValueError for a column of an unknown type."""
    values = dict[str, str]()
    for column in table.columns:
        if value := _value(column) if column.computed is None else "":
            values[column.name] = value
        elif not column.nullable and column.server_default is None:
            raise ValueError(f"column {column.name} is {column.type!r}")
    quoted, made = (", ".join(part) for part in (map('"{}"'.format, values), values.values()))
    into = f'INSERT INTO "{table.name}" ({quoted}) OVERRIDING SYSTEM VALUE'
    return f"{into} SELECT {made} FROM generate_series(1, :rows) g"  # noqa: S608  our own names


def _value(column: sa.Column[Any]) -> str:
    """The SQL of a value in row `g`; empty for an unknown type."""
    for key in column.foreign_keys:
        if key.column.table is not column.table:
            return _value(key.column)
        if column.nullable:
            return "NULL"
    kind: Any = column.type
    n = min(getattr(kind, "length", None) or TEXT_LENGTH, TEXT_LENGTH)
    if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
        n = 10 ** min((kind.precision or 18) - (kind.scale or 0), 18)
    first = getattr(kind, "enums", [""])[0]
    for known, sql in BY_TYPE:
        if isinstance(kind, known):
            return sql.format(n=n, first=first, type=getattr(kind, "name", ""))
    return ""
