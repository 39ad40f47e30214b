"""Migrations on a real PostgreSQL: those that keep traffic waiting, and those that don't."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.baking import environment
from tests.containers.released import Released

MIGRATION = '''"""a change"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down}"


def upgrade() -> None:
    {upgrade}
'''
WIDE = """
op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), primary_key=True),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("unused", sa.Text()),
        *(sa.Column(f"wide{n}", sa.Text()) for n in range(6)),
    )
"""
ORDERS = """
import sqlalchemy as sa

from app.tables import metadata

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.BigInteger(), primary_key=True),
    sa.Column("item_id", sa.BigInteger(), nullable=False),
    sa.Column("code", sa.String(60), nullable=False),
    sa.Column("note", sa.Text()),
    sa.Column("at", sa.DateTime(timezone=True)),
)
"""


def both(first: str, second: str) -> str:
    """Two statements of one migration."""
    return f"{first}\n    {second}"


BLOCKING = {
    "index": (
        'op.create_index("by_code", "orders", ["code"])',
        r"CREATE INDEX by_code .*: ShareLock on orders .*; writes wait",
    ),
    "index in an autocommit block": (
        'with op.get_context().autocommit_block(): op.create_index("by_at", "orders", ["at"])',
        r"CREATE INDEX by_at .*: ShareLock on orders .*; writes wait",
    ),
    "type": (
        'op.alter_column("orders", "code", type_=sa.Text(), postgresql_using="upper(code)")',
        r"ALTER COLUMN code TYPE .*: AccessExclusiveLock on orders .*; reads and writes wait",
    ),
    "foreign key": (
        'op.create_foreign_key("fk", "orders", "items", ["item_id"], ["id"])',
        r"FOREIGN KEY.*: ShareRowExclusiveLock on items .*; writes wait",
    ),
    "check": (
        'op.create_check_constraint("ck", "orders", "length(note) > 0")',
        r"CHECK .*: AccessExclusiveLock on orders .*; reads and writes wait",
    ),
    "not null": (
        'op.alter_column("orders", "at", nullable=False)',
        r"ALTER COLUMN at SET NOT NULL: AccessExclusiveLock on orders .*; reads and writes wait",
    ),
    "volatile default": (
        'op.execute("ALTER TABLE orders ADD COLUMN seen uuid DEFAULT gen_random_uuid()")',
        r"ADD COLUMN seen .*: AccessExclusiveLock on orders .*; reads and writes wait",
    ),
    "update of all rows": (
        'op.execute("UPDATE orders SET note = code")',
        r"UPDATE orders .*: row locks on orders .*; writes of its rows wait",
    ),
    "unique constraint": (
        'op.create_unique_constraint("uq", "orders", ["code"])',
        r"UNIQUE \(code\): AccessExclusiveLock on orders .*; reads and writes wait",
    ),
    "identity": (
        'op.add_column("orders", sa.Column("serial", sa.BigInteger(), sa.Identity()))',
        r"ADD COLUMN serial .*: AccessExclusiveLock on orders .*; reads and writes wait",
    ),
    "short lock and long backfill": (
        both(
            'op.add_column("orders", sa.Column("copy", sa.Text()))',
            'op.execute("UPDATE orders SET copy = note")',
        ),
        r"ADD COLUMN copy TEXT: AccessExclusiveLock .* wait while `UPDATE orders SET .*` ran",
    ),
    "explicit lock": (
        both(
            'op.execute("LOCK TABLE orders IN EXCLUSIVE MODE")',
            'op.execute("CREATE TABLE copies AS SELECT * FROM orders")',
        ),
        r"LOCK TABLE .*: ExclusiveLock on orders .*; writes wait",
    ),
    "primary key": (
        both(
            'op.drop_constraint("orders_pkey", "orders")',
            'op.create_primary_key("pk", "orders", ["id"])',
        ),
        r"DROP CONSTRAINT orders_pkey: AccessExclusiveLock on orders .*; reads and writes wait",
    ),
}
BATCHES = """
DO $$ BEGIN
  FOR n IN 0..199 LOOP
    UPDATE orders SET note = code WHERE id > n * 1000 AND id <= (n + 1) * 1000;
    COMMIT;
  END LOOP;
END $$
"""
HARMLESS = {
    "a row more": "op.execute(\"INSERT INTO items (name, price_cents) VALUES ('a', 1)\")",
    "batches": f"with op.get_context().autocommit_block(): op.execute('''{BATCHES}''')",
    "nullable column": 'op.add_column("orders", sa.Column("a", sa.Text()))',
    "constant default": 'op.add_column("orders", sa.Column("b", sa.Integer(), '
    'server_default="1", nullable=False))',
    "index concurrently": 'with op.get_context().autocommit_block(): op.create_index("ix", '
    '"orders", ["code"], postgresql_concurrently=True)',
    "check that isn't valid yet": 'op.create_check_constraint("ck", "orders", "id > 0", '
    "postgresql_not_valid=True)",
    "check that is validated": 'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck")',
    "foreign key that isn't valid yet": 'op.create_foreign_key("fk", "orders", "items", '
    '["item_id"], ["id"], postgresql_not_valid=True)',
    "foreign key that is validated": 'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT fk")',
    "table": 'op.create_table("more", sa.Column("id", sa.BigInteger(), primary_key=True), '
    'sa.Column("item_id", sa.BigInteger(), sa.ForeignKey("items.id")))',
    "unused column gone": 'op.drop_column("orders", "unused")',
    "wider text": 'op.alter_column("orders", "code", type_=sa.String(80))',
    "text without a limit": 'op.alter_column("orders", "code", type_=sa.Text())',
    "default": 'op.alter_column("orders", "note", server_default="")',
    "rename": 'op.alter_column("orders", "note", new_column_name="remark")',
    "a few rows": 'op.execute("UPDATE orders SET code = code WHERE id < 10")',
    "table that the last release doesn't use": 'op.execute("CREATE INDEX ON legacy (a)")',
    "constraint gone": 'op.drop_constraint("ck", "orders")',
}
LIMITS = "\n[migrations]\nlock_seconds = 2\nrows = 200_000_000\n"
CALL = """
import pathlib, sys
from vitals.ops.deploy import locks
from vitals.ops.run import steps
steps.exit_with(lambda: steps.say(locks.rehearse_locks(*map(pathlib.Path, sys.argv[1:]))))
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """A project with a table that is wide enough to be slow."""
    released = Released(tmp_path_factory.mktemp("locks"))
    (released.project / "app" / "orders.py").write_text(ORDERS)
    main = released.project / "app" / "main.py"
    main.write_text(f"{main.read_text()}\nimport app.orders  # noqa\n")
    legacy = 'op.execute("CREATE TABLE legacy AS SELECT g a FROM generate_series(1, 200000) g")'
    migrate(released.project, [f"{WIDE.strip()}\n    {legacy}"])
    return released


def migrate(project: Path, upgrades: list[str]) -> None:
    """Write migrations that follow those of the project."""
    versions = project / "migrations" / "versions"
    text = "".join(file.read_text() for file in versions.glob("*.py"))
    down = re.findall(r"^down_revision.*= \"(\w+)\"", text, re.MULTILINE)
    [head] = set(re.findall(r"^revision.*= \"(\w+)\"", text, re.MULTILINE)) - set(down)
    for number, upgrade in enumerate(upgrades):
        revision = f"{len(down)}x{number}"
        (versions / f"20991231_{len(down)}_{number:04}.py").write_text(
            MIGRATION.format(revision=revision, down=head, upgrade=upgrade)
        )
        head = revision


def rehearsed(
    before: Released, folder: Path, upgrades: list[str], limits: str = LIMITS
) -> subprocess.CompletedProcess[str]:
    """Run migrations that a folder has and the project lacks."""
    this = folder / "this"
    shutil.copytree(before.project, this, ignore=shutil.ignore_patterns(".venv", "build", ".git"))
    migrate(this, upgrades)
    with (this / "config" / "slo.toml").open("a") as file:
        file.write(limits)
    done = subprocess.run(
        [before.project / ".venv" / "bin" / "python", "-c", CALL, before.project, this],
        cwd=before.project,
        env=environment(PYTHONPATH=str(before.project)),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done


@pytest.fixture(scope="module")
def blocking(before: Released, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of all of them, one after the other."""
    upgrades = [upgrade for upgrade, _ in BLOCKING.values()]
    done = rehearsed(before, tmp_path_factory.mktemp("blocking"), upgrades)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize("said", [said for _, said in BLOCKING.values()], ids=BLOCKING)
def test_a_migration_that_keeps_traffic_waiting_is_named_with_its_lock(
    blocking: str, said: str
) -> None:
    [line] = [line for line in blocking.splitlines() if re.search(said, line)]
    held, waited = re.search(r"commit: ([\d.]+) s with 200,000 rows( \(.*?\))?, ", line).groups()

    if float(held) > 0.2:  # a second session looks every 10 ms
        for who in re.findall("reads|writes", re.search("; (.*?) wait", line)[1]):
            assert f"{who} waited " in (waited or "")
    assert float(re.search(r"about ([\d,.]+) s", line)[1].replace(",", "")) > 2


def test_the_refusal_gives_the_way_without_the_lock(blocking: str) -> None:
    assert f"{len(BLOCKING) + 1} locks keep traffic waiting for more than 2 s" in blocking
    ways = re.findall(r"^.*with 200,000,000; .* wait.*\. Fix: (.*)", blocking, re.MULTILINE)
    assert len(ways) == len(BLOCKING) + 1
    for way in ("postgresql_concurrently=True", "USING INDEX", "NOT VALID", "in batches"):
        assert any(way in each for each in ways)


def test_a_migration_that_holds_no_lock_for_long_is_let_through(
    before: Released, tmp_path: Path
) -> None:
    done = rehearsed(before, tmp_path, list(HARMLESS.values()), "")

    assert done.returncode == 0, done.stdout
    assert f"{len(HARMLESS)} migrations" in done.stdout
    assert "not rehearsed" not in done.stdout


def test_a_table_is_as_large_as_slo_toml_says(before: Released, tmp_path: Path) -> None:
    limits = "\n[migrations]\n[migrations.table.orders]\nrows = 2_000\n"

    done = rehearsed(before, tmp_path, [BLOCKING["index"][0]], limits)

    assert done.returncode == 0, done.stdout
    assert re.search("ShareLock on orders .* with 2,000; writes wait", done.stdout)


def test_what_can_not_be_filled_is_named_and_filled_by_its_own_sql(
    before: Released, tmp_path: Path
) -> None:
    point = 'op.execute("ALTER TABLE orders ADD place point NOT NULL")'
    migrate(before.project, [point])

    done = rehearsed(before, tmp_path / "a", [BLOCKING["index"][0]])
    fill = "INSERT INTO orders (id, item_id, code, at, place) SELECT g, g, g, now(), point(g, g) "
    fill += "FROM generate_series(1, :rows) g"
    limits = f'{LIMITS}[migrations.table.orders]\nfill = "{fill}"\n'
    filled = rehearsed(before, tmp_path / "b", [BLOCKING["index"][0]], limits)

    assert "not rehearsed: table orders can't be filled: column place" in done.stdout
    assert "Fix: [migrations.table." in done.stdout
    assert filled.returncode == 1
    assert "ShareLock on orders" in filled.stdout


def test_an_unknown_limit_is_refused(before: Released, tmp_path: Path) -> None:
    done = rehearsed(before, tmp_path, [BLOCKING["index"][0]], "\n[migrations]\nlock_second = 2\n")

    assert "[migrations] lock_second; expected lock_seconds, rows" in done.stdout
