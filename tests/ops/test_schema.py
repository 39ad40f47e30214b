import re
from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory

from vitals.ops.check import lock_rules, schema
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

MIGRATION = '''
"""a change"""

import sqlalchemy as sa
from alembic import op

revision = "b"
down_revision = "a"


def upgrade() -> None:
    {upgrade}
'''
NAMED = {"items": {"id": False, "name": False, "note": True}}
REFUSED = [
    'op.drop_table("items")',
    'op.rename_table("items", "things")',
    'op.drop_column("items", "name")',
    'op.alter_column("items", "name", new_column_name="title")',
    'op.add_column("items", sa.Column("size", sa.Integer(), nullable=False))',
    'op.alter_column("items", "note", nullable=False)',
    'op.alter_column("items", "size", nullable=False)',
    'op.execute("ALTER TABLE items DROP COLUMN name")',
    'op.execute("alter table public.items rename name to title")',
    'op.execute("DROP TABLE IF EXISTS items CASCADE")',
]
ALLOWED = [
    'op.drop_table("things")',
    'op.drop_column("items", "size")',
    'op.drop_column("things", "name")',
    'op.alter_column("items", "size", new_column_name="width")',
    'op.add_column("items", sa.Column("size", sa.Integer(), nullable=True))',
    'op.add_column("items", sa.Column("size", sa.Integer(), nullable=False, server_default="1"))',
    'op.add_column("things", sa.Column("size", sa.Integer(), nullable=False))',
    'op.alter_column("items", "name", nullable=False)',
    'op.alter_column("items", "name", nullable=True)',
    'op.create_table("more", sa.Column("id", sa.Integer(), nullable=False))',
    'op.create_index("by_name", "items", ["name"])',
    'op.execute("UPDATE items SET note = name")',
    'op.execute("ALTER TABLE items RENAME CONSTRAINT a TO b")',
]


def written(folder: Path, upgrade: str) -> Script:
    (folder / "versions").mkdir(parents=True)
    for name, text in (
        ("a", 'revision = "a"\ndown_revision = None\n'),
        ("b", MIGRATION.format(upgrade=upgrade)),
    ):
        (folder / "versions" / f"{name}.py").write_text(text)
    return next(iter(ScriptDirectory(str(folder)).walk_revisions()))


def found(folder: Path, upgrade: str) -> list[str]:
    script = written(folder, upgrade)
    return list(schema.against(schema.sql(script), NAMED, "b.py", "v1.2.0"))


@pytest.mark.parametrize("upgrade", REFUSED)
def test_what_the_last_release_can_not_run_on_is_refused(upgrade: str, tmp_path: Path) -> None:
    [fault] = found(tmp_path, upgrade)

    assert fault.startswith("b.py: found")
    assert "v1.2.0" in fault


@pytest.mark.parametrize("upgrade", ALLOWED)
def test_what_the_last_release_does_not_notice_is_allowed(upgrade: str, tmp_path: Path) -> None:
    assert found(tmp_path, upgrade) == []


LOCKED = [
    'op.create_index("by_name", "items", ["name"])',
    'op.create_foreign_key("fk", "items", "things", ["thing"], ["id"])',
    'op.create_check_constraint("ck", "items", "size > 0")',
    'op.create_unique_constraint("uq", "items", ["name"])',
    'op.alter_column("items", "note", nullable=False)',
    'op.execute("ALTER TABLE items ADD COLUMN seen uuid DEFAULT gen_random_uuid()")',
    'op.execute("REINDEX TABLE items")',
]
NOT_LOCKED = [
    'op.add_column("items", sa.Column("size", sa.Integer(), server_default="1", nullable=False))',
    'op.add_column("items", sa.Column("size", sa.Integer()))',
    'op.alter_column("items", "name", type_=sa.String(80))',
    'op.alter_column("items", "note", server_default="")',
    'op.create_check_constraint("ck", "items", "id > 0", postgresql_not_valid=True)',
    'op.create_index("by_name", "archive", ["name"])',
    'op.create_table("more", sa.Column("item", sa.Integer(), sa.ForeignKey("items.id")))',
    'op.drop_constraint("ck", "items")',
    'op.execute("ALTER TABLE items ADD CONSTRAINT uq UNIQUE USING INDEX by_name")',
    'op.execute("ALTER TABLE items VALIDATE CONSTRAINT ck")',
    'op.execute("UPDATE items SET note = name WHERE id < 10")',
    (
        "with op.get_context().autocommit_block(): "
        'op.create_index("ix", "items", ["name"], postgresql_concurrently=True)'
    ),
]


@pytest.mark.parametrize("upgrade", LOCKED)
def test_a_statement_that_locks_a_large_table_is_named_with_the_way_without_it(
    upgrade: str, tmp_path: Path
) -> None:
    sql = {"b.py": f"SELECT 1;\n\n{schema.sql(written(tmp_path, upgrade))}"}

    [fault] = lock_rules.broken(sql, NAMED)

    assert re.match(r"b\.py: found '(CREATE|ALTER|REINDEX) .*\. Fix: ", fault)


@pytest.mark.parametrize("upgrade", NOT_LOCKED)
def test_a_statement_that_locks_nothing_for_long_is_allowed(upgrade: str, tmp_path: Path) -> None:
    assert list(lock_rules.broken({"b.py": schema.sql(written(tmp_path, upgrade))}, NAMED)) == []


def test_the_migrations_of_the_example_lock_nothing_for_long() -> None:
    sql = {Path(each.path).name: schema.sql(each) for each in schema.scripts(shell.ROOT)}

    assert len(sql) > 1
    assert list(lock_rules.broken(sql, ["items", "attachments"])) == []


def test_a_table_that_slo_toml_calls_small_may_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    monkeypatch.setattr(shell, "ROOT", tmp_path)
    sql = {"b.py": schema.sql(written(tmp_path / "migrations", LOCKED[0]))}
    locked = list(lock_rules.broken(sql, NAMED))

    (tmp_path / "config" / "slo.toml").write_text("[migrations.table.items]\nrows = 9_000\n")

    assert locked
    assert list(lock_rules.broken(sql, NAMED)) == []


def test_a_migration_that_asks_the_database_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"b\.py asks the database"):
        found(tmp_path, 'op.get_bind().execute(sa.text("SELECT 1")).scalar()')


APPLICATION = "from app.things import things"
TABLES = "import sqlalchemy as sa\nmetadata = sa.MetaData()"
THINGS = """
import sqlalchemy as sa
from app.{home} import {metadata}

things = sa.Table("things", {metadata}, sa.Column("price_cents", sa.Integer()))
"""
NAMES = '[tool.vitals]\napplication = "app.main:create_app"\nmetadata = "app.tables:metadata"\n'
NOW = {
    "pyproject.toml": NAMES,
    "app/main.py": APPLICATION,
    "app/tables.py": TABLES,
    "app/things.py": THINGS.format(home="tables", metadata="metadata"),
}
BEFORE_THE_ENGINE_HAD_A_FOLDER = {
    "pyproject.toml": "[tool.service]\n",
    "app/database.py": "import sqlalchemy as sa\nclass Base:\n    metadata = sa.MetaData()",
    "app/things.py": THINGS.format(home="database", metadata="Base").replace(
        "Base,", "Base.metadata,"
    ),
}


@pytest.mark.usefixtures("repository")
def test_a_project_without_a_release_has_nothing_to_test() -> None:
    assert schema.check() == "nothing to test yet"


@pytest.mark.parametrize("files", [NOW, BEFORE_THE_ENGINE_HAD_A_FOLDER], ids=["now", "before"])
def test_a_release_is_held_to_the_columns_that_its_own_code_names(
    files: dict[str, str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here `price_cents` is named by v1 and dropped by the tree."""
    for name, text in {**files, "app/__init__.py": ""}.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(text)
    versions = repository / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "a.py").write_text('revision = "a"\ndown_revision = None\n')
    git.git("add", "--all")
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git.git(*who, "commit", "--quiet", "--message", "first")
    git.git(*who, "tag", "v1.0.0", "--annotate", "--message", "first")
    monkeypatch.setattr("vitals.ops.release.releases.FOLDER", repository / "build")
    (versions / "b.py").write_text(
        MIGRATION.format(upgrade='op.drop_column("things", "price_cents")')
    )

    with pytest.raises(Refused) as refused:
        schema.check()

    assert "DROP COLUMN price_cents" in refused.value.output


def test_a_release_without_a_database_names_no_table(tmp_path: Path) -> None:
    names = NAMES.replace('metadata = "app.tables:metadata"', "")
    (tmp_path / "pyproject.toml").write_text(names)

    assert schema.named(tmp_path) == {}
